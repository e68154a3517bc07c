// One JSON document, written front to back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner {

// Values follow keys inside an object and each other inside an array; commas are put in between.
class Json {
 public:
  Json& open(char bracket);
  Json& close(char bracket);
  Json& key(std::string_view name);
  Json& value(std::string_view text);
  Json& value(const char* text) { return value(std::string_view(text)); }
  Json& value(double number);  // null where it is not finite
  Json& value(long long number);
  Json& null();
  Json& value(const std::vector<double>& numbers);
  Json& value(const std::vector<float>& numbers);
  Json& value(std::optional<long long> number);

  const std::string& text() const { return text_; }

 private:
  void separate();

  std::string text_;
  bool first_ = true;
};

}  // namespace runner
