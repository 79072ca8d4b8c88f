// A device in a process of its own: memory, and kernels of kernels/, run by the emulator. Commands on stdin, answers on
// stdout, all numbers little-endian:
//
//   A bytes              -> address         a buffer, poisoned
//   F address                               frees it
//   W address bytes data                    writes
//   R address bytes      -> data            reads
//   C from to bytes                         copies
//   Z address bytes                         sets to zero
//   L name grid block shared order seed arguments -> 'k'
//
// An argument is a byte that says its type (Type below) and eight bytes. Two files are generated: KERNELS_SOURCE includes
// the kernels, each file in a namespace of its own, and KERNELS_LIST defines add_kernels, which lists them.
#include <csignal>
#include <map>
#include <string>
#include <tuple>

#include KERNELS_SOURCE

namespace {

constexpr size_t PAGE = emulator::PAGE;
constexpr unsigned char POISON = 0xff;

// A buffer ends at a page that must not be touched, and begins after one; what is left of its first page is poisoned too
// and checked after each launch, and so is what is left of its last 16 bytes.
struct Buffer {
  unsigned char* region;
  size_t region_bytes, bytes;
  unsigned char* data() const { return region + region_bytes - PAGE - (bytes + 15) / 16 * 16; }
};
std::map<uint64_t, Buffer> buffers;

uint64_t allocate(uint64_t bytes) {
  Buffer b;
  b.bytes = bytes;
  const size_t inner = (bytes + 15 + PAGE - 1) / PAGE * PAGE;
  b.region_bytes = inner + 2 * PAGE;
  void* p = mmap(nullptr, b.region_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) emulator::fail("out of memory");
  b.region = static_cast<unsigned char*>(p);
  mprotect(b.region + PAGE, inner, PROT_READ | PROT_WRITE);
  memset(b.region + PAGE, POISON, inner);
  const uint64_t address = reinterpret_cast<uint64_t>(b.data());
  buffers[address] = b;
  return address;
}

// That a range lies within a buffer.
void check_range(uint64_t address, uint64_t bytes) {
  const auto next = buffers.upper_bound(address);
  if (next != buffers.begin()) {
    const auto& [begin, b] = *std::prev(next);
    if (address - begin <= b.bytes && bytes <= b.bytes - (address - begin)) return;
  }
  emulator::fail("an address that lies in no buffer, or a range past its end");
}

void check_canaries() {
  static const std::vector<unsigned char> poison(PAGE, POISON);
  for (auto& [address, b] : buffers) {
    const unsigned char *begin = b.region + PAGE, *data = b.data(), *end = b.region + b.region_bytes - PAGE;
    if (memcmp(begin, poison.data(), data - begin)) emulator::fail("a write before the begin of a buffer");
    if (memcmp(data + b.bytes, poison.data(), end - data - b.bytes)) emulator::fail("a write past the end of a buffer");
  }
}

void out_of_bounds(int, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<uint64_t>(info->si_addr);
  for (auto& [address, b] : buffers) {
    const auto region = reinterpret_cast<uint64_t>(b.region);
    if (at >= region && at < region + b.region_bytes) {
      char text[96];
      snprintf(text, sizeof text, "at byte %lld of a buffer of %zu", (long long)(at - address), b.bytes);
      emulator::fail("access out of bounds", text);
    }
  }
  emulator::fail("access out of bounds, or of shared memory that the launch did not give");
}

void read_all(void* to, size_t bytes) {
  if (bytes && fread(to, 1, bytes, stdin) != bytes) _exit(0);
}
template <class T>
T read() {
  T x;
  read_all(&x, sizeof x);
  return x;
}
void write_all(const void* from, size_t bytes) {
  if (bytes && fwrite(from, 1, bytes, stdout) != bytes) _exit(0);
  fflush(stdout);
}

}  // namespace
#include "kernels_by_name.hpp"
namespace {

void launch() {
  std::string name(read<uint32_t>(), ' ');
  read_all(name.data(), name.size());
  dim3 grid, threads;
  grid.x = read<uint32_t>(), grid.y = read<uint32_t>(), grid.z = read<uint32_t>();
  threads.x = read<uint32_t>(), threads.y = read<uint32_t>(), threads.z = read<uint32_t>();
  const auto shared = read<uint32_t>();
  emulator::options.order = static_cast<emulator::Order>(read<uint32_t>());
  emulator::options.seed = read<uint64_t>();
  std::vector<uint64_t> words(read<uint32_t>());
  std::vector<Type> types(words.size());
  for (size_t i = 0; i < words.size(); i++) types[i] = read<Type>(), words[i] = read<uint64_t>();
  static std::string running;
  running = name;
  emulator::kernel_name = running.c_str();
  const auto found = kernels.find(name);
  if (found == kernels.end()) emulator::fail("no such kernel");
  const Kernel& k = found->second;
  if (k.parameters.size() != words.size()) emulator::fail("the kernel takes another number of arguments");
  for (size_t i = 0; i < words.size(); i++) {
    if (k.parameters[i] != types[i]) emulator::fail("an argument is of another type than its parameter:", std::to_string(i).c_str());
    if (types[i] == Type::pointer && words[i]) check_range(words[i], 0);
  }
  if (threads.x * threads.y * threads.z > k.largest_block) emulator::fail("a block larger than __launch_bounds__ says");
  emulator::launch(grid, threads, shared, [&] { k.run(words); });
  check_canaries();
  write_all("k", 1);
}

}  // namespace

int main() {
  struct sigaction action {};
  action.sa_sigaction = out_of_bounds;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
  for (;;) {
    switch (read<char>()) {
      case 'A': {
        const uint64_t address = allocate(read<uint64_t>());
        write_all(&address, 8);
        break;
      }
      case 'F': {
        const auto found = buffers.find(read<uint64_t>());
        if (found == buffers.end()) emulator::fail("no such buffer is freed");
        munmap(found->second.region, found->second.region_bytes);
        buffers.erase(found);
        break;
      }
      case 'W': {
        const auto address = read<uint64_t>(), bytes = read<uint64_t>();
        check_range(address, bytes);
        read_all(reinterpret_cast<void*>(address), bytes);
        break;
      }
      case 'R': {
        const auto address = read<uint64_t>(), bytes = read<uint64_t>();
        check_range(address, bytes);
        write_all(reinterpret_cast<void*>(address), bytes);
        break;
      }
      case 'C': {
        const auto from = read<uint64_t>(), to = read<uint64_t>(), bytes = read<uint64_t>();
        check_range(from, bytes);
        check_range(to, bytes);
        if (from < to + bytes && to < from + bytes) emulator::fail("a copy between places that overlap");
        memcpy(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes);
        break;
      }
      case 'Z': {
        const auto address = read<uint64_t>(), bytes = read<uint64_t>();
        check_range(address, bytes);
        memset(reinterpret_cast<void*>(address), 0, bytes);
        break;
      }
      case 'L': launch(); break;
      default: emulator::fail("an unknown command");
    }
  }
}
