// The kernels by their names, as they are called with words of eight bytes. KERNELS_SOURCE and KERNELS_LIST are generated.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace {

enum class Type : uint8_t { pointer, integer, long_integer, single_float, double_float };

struct Kernel {
  std::vector<Type> parameters;
  unsigned largest_block;
  std::function<void(const std::vector<uint64_t>&)> run;
};

template <class P>
constexpr Type type_of() {
  if (std::is_pointer_v<P>) return Type::pointer;
  if (std::is_same_v<P, float>) return Type::single_float;
  if (std::is_same_v<P, double>) return Type::double_float;
  return sizeof(P) == 8 ? Type::long_integer : Type::integer;
}

template <class... P>
Kernel kernel(void (*f)(P...), unsigned largest_block) {
  return {{type_of<P>()...}, largest_block, [f](const std::vector<uint64_t>& words) {
            size_t at = 0;
            auto next = [&]<class T>(T x) {
              memcpy(&x, &words[at++], sizeof x);
              return x;
            };
            std::tuple<P...> arguments{next(P{})...};  // braces evaluate from the left
            std::apply(f, arguments);
          }};
}

using Kernels = std::map<std::string, Kernel>;
}  // namespace
#include KERNELS_LIST
namespace {
const Kernels kernels = [] {
  Kernels all;
  add_kernels(all);
  return all;
}();

}  // namespace
