#include <algorithm>
#include <array>
#include <iostream>

namespace geo {

template <typename T, std::size_t N>
class Matrix final {
 public:
  constexpr Matrix() noexcept : cells_{} {}
  explicit Matrix(std::array<T, N * N> cells) : cells_(std::move(cells)) {}

  [[nodiscard]] T& at(std::size_t row, std::size_t col) { return cells_.at(row * N + col); }

  friend std::ostream& operator<<(std::ostream& os, const Matrix& m) {
    std::for_each(m.cells_.begin(), m.cells_.end(), [&](auto c) { os << c << "\t"; });
    return os << '\n';
  }

 private:
  std::array<T, N * N> cells_;
};

}  // namespace geo

int main(int argc, char** argv) {
  geo::Matrix<double, 3> m;
  m.at(1, 1) = 3.141592653589793e-10;
  std::cout << m << (argc >= 2 ? argv[1] : "none");
  return 0;
}
