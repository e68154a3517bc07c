// Inputs of a program: float32, row-major, read from files or drawn from a seed.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace runner {

using Values = std::vector<float>;
using Shape = std::vector<int>;

// One call of a method: its name and a value for each input; or one frame of a stream, nothing where no face was found.
struct Case {
  std::string name;
  std::vector<Values> inputs;
};

std::size_t count(const Shape& shape);

// The lines of `file`, their inputs of exactly these shapes; Refusal where they are not. Paths in it that are relative
// are so to its folder.
std::vector<Case> read_cases(const std::string& file, const std::vector<Shape>& shapes, bool faces_may_miss);

// Pixels (four axes) are 0 to 255, embeddings (three axes) 0 to 1, masks (two axes) all one.
Case random_case(const std::vector<Shape>& shapes, unsigned seed);

}  // namespace runner
