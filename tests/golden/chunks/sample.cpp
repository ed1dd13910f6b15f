#include <vector>

namespace shop {

constexpr int kLimit = 10;

/// A shape.
template <typename T>
class Shape {
 public:
  explicit Shape(T size) : size_(size) {}
  virtual ~Shape() = default;
  virtual double area() const = 0;

  T operator+(const T& other) const { return size_ + other; }

  struct Options {
    int depth;
  };

 private:
  T size_;
};

enum class Color { Red, Green };

using Ints = std::vector<int>;

// Sums.
int sum(const Ints& numbers);

namespace {
int helper() { return 1; }
}  // namespace

}  // namespace shop

int shop::sum(const Ints& numbers) {
  auto add = [](int a, int b) { return a + b; };
  return add(numbers[0], 1);
}

template <>
double shop::Shape<int>::area() const {
  return 0;
}

extern "C" {
void entry(void);
}
