#include "tensors.h"

#include <fstream>
#include <random>
#include <sstream>

#include "options.h"

namespace runner {

namespace {

Values read_values(const std::string& path, std::size_t wanted) {
  static_assert(sizeof(float) == 4, "tensor files hold 32-bit floats");
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) {
    throw Refusal(path + ": cannot be read");
  }
  const auto size = static_cast<std::size_t>(stream.tellg());
  if (size != wanted * sizeof(float)) {
    throw Refusal(path + ": holds " + std::to_string(size) + " bytes, the program takes " +
                  std::to_string(wanted) + " float32 values there");
  }
  Values values(wanted);
  stream.seekg(0);
  // The machines this is built for are little-endian, as the files are.
  stream.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(size));
  if (!stream) {
    throw Refusal(path + ": cannot be read");
  }
  return values;
}

}  // namespace

std::size_t count(const Shape& shape) {
  std::size_t product = 1;
  for (const int length : shape) {
    product *= static_cast<std::size_t>(length);
  }
  return product;
}

std::vector<Case> read_cases(const std::string& file, const std::vector<Shape>& shapes, bool faces_may_miss) {
  std::ifstream stream(file);
  if (!stream) {
    throw Refusal(file + ": cannot be read");
  }
  const auto slash = file.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : file.substr(0, slash + 1);
  std::vector<Case> cases;
  for (std::string line; std::getline(stream, line);) {
    std::istringstream fields(line);
    Case one;
    std::getline(fields, one.name, '\t');
    for (std::string path; std::getline(fields, path, '\t');) {
      if (one.inputs.size() == shapes.size()) {
        throw Refusal(file + ": " + one.name + " has more files than the program has inputs");
      }
      const std::string place = path[0] == '/' ? path : folder + path;
      one.inputs.push_back(read_values(place, count(shapes[one.inputs.size()])));
    }
    if (one.inputs.size() != shapes.size() && !(faces_may_miss && one.inputs.empty())) {
      throw Refusal(file + ": " + one.name + " has " + std::to_string(one.inputs.size()) + " files, the program has " +
                    std::to_string(shapes.size()) + " inputs");
    }
    cases.push_back(std::move(one));
  }
  if (cases.empty()) {
    throw Refusal(file + ": holds no case");
  }
  return cases;
}

Case random_case(const std::vector<Shape>& shapes, unsigned seed) {
  std::mt19937 bits(seed);
  Case drawn{"random", {}};
  for (const Shape& shape : shapes) {
    Values values(count(shape), 1.0f);
    if (shape.size() != 2) {
      const float top = shape.size() == 4 ? 255.0f : 1.0f;
      for (float& value : values) {
        // Scaled by hand: the library's distributions differ from one machine to the next.
        value = top * static_cast<float>(bits() >> 8) / static_cast<float>(1 << 24);
      }
    }
    drawn.inputs.push_back(std::move(values));
  }
  return drawn;
}

}  // namespace runner
