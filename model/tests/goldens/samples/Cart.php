<?php

declare(strict_types=1);

namespace App\Shop;

final class Cart implements \Countable
{
    /** @var array<string, int> */
    private array $lines = [];

    public function add(string $sku, int $quantity = 1): static
    {
        $this->lines[$sku] = ($this->lines[$sku] ?? 0) + max(0, $quantity);

        return $this;
    }

    public function count(): int
    {
        return array_sum($this->lines);
    }

    public function render(): string
    {
        $rows = array_map(fn ($sku, $n) => "<li>{$sku} &times; {$n}</li>", array_keys($this->lines), $this->lines);

        return '<ul>' . implode(PHP_EOL, $rows) . "</ul>\n";
    }
}
