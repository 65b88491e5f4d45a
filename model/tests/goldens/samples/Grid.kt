package grid

import kotlin.math.abs

data class Cell(val x: Int, val y: Int) {
    operator fun plus(other: Cell) = Cell(x + other.x, y + other.y)
    infix fun distanceTo(other: Cell): Int = abs(x - other.x) + abs(y - other.y)
}

sealed interface Move {
    data object Stay : Move
    data class Step(val by: Cell) : Move
}

class Grid(private val width: Int = 8, private val height: Int = 8) {
    fun next(from: Cell, move: Move): Cell? = when (move) {
        is Move.Stay -> from
        is Move.Step -> (from + move.by).takeIf { it.x in 0 until width && it.y in 0..<height }
    }
}

fun main() = println("It's at ${Grid().next(Cell(0, 0), Move.Step(Cell(1, 2)))?.toString() ?: "nowhere"}")
