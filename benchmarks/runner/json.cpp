#include "json.h"

#include <cmath>
#include <cstdio>

namespace runner {

void Json::separate() {
  if (!first_) {
    text_ += ',';
  }
  first_ = false;
}

Json& Json::open(char bracket) {
  separate();
  text_ += bracket;
  first_ = true;
  return *this;
}

Json& Json::close(char bracket) {
  text_ += bracket;
  first_ = false;
  return *this;
}

Json& Json::key(std::string_view name) {
  value(name);
  text_ += ':';
  first_ = true;
  return *this;
}

Json& Json::value(std::string_view text) {
  separate();
  text_ += '"';
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      text_ += '\\';
      text_ += letter;
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", letter);
      text_ += code;
    } else {
      text_ += letter;
    }
  }
  text_ += '"';
  return *this;
}

Json& Json::value(double number) {
  if (!std::isfinite(number)) {
    return null();
  }
  separate();
  char digits[32];
  // Nine digits bring every float back as it was.
  std::snprintf(digits, sizeof digits, "%.9g", number);
  text_ += digits;
  return *this;
}

Json& Json::value(long long number) {
  separate();
  text_ += std::to_string(number);
  return *this;
}

Json& Json::null() {
  separate();
  text_ += "null";
  return *this;
}

Json& Json::value(const std::vector<double>& numbers) {
  open('[');
  for (const double number : numbers) {
    value(number);
  }
  return close(']');
}

Json& Json::value(const std::vector<float>& numbers) {
  open('[');
  for (const float number : numbers) {
    value(static_cast<double>(number));
  }
  return close(']');
}

Json& Json::value(std::optional<long long> number) {
  return number ? value(*number) : null();
}

}  // namespace runner
