// A driver's library that has no card: what a program calls is recorded, checked, and done by the emulator.
//
// Nothing is done when it is asked for, as on a card: a stream does its work when somebody waits for it, and no sooner. What a
// program gets wrong ends it with a message, or is answered with an error as a driver would. When the program ends, what was
// recorded is written as lines of `name number` to the file that FAKE_CUDA_RECORD names.
//
// Streams are held against each other (`hazards.hpp`): each does its work as late as it may, and what two of them touch must have an
// order, which events and waits give it.
//
//   FAKE_CUDA_CARDS    how many there are, one if it is not set
//   FAKE_CUDA_MEMORY   bytes of each card, 256 MiB if it is not set
//   FAKE_CUDA_VERSION  of the driver, 13000 if it is not set
//   FAKE_CUDA_SLOW     1: whoever asks whether a copy has been made hears that it has not; only who waits sees it made
//   FAKE_CUDA_PEERS    1 if cards can read each other's memory
//   FAKE_CUDA_TRACE    a file that gets a line for all work in an order in which it can be done: its stream and number there, the card, what
//                      it costs (threads of a launch, bytes of a copy), its name, and of each stream how much lies before it
//   FAKE_CUDA_FAIL     a function; with `:n` its calls from number n on, from 0: they answer with an error, and as on a card whose kernel has
//                      gone wrong nothing is done from then on
//   FAKE_CUDA_NOISE    1: what is copied from a card is no number
//   FAKE_CUDA_FORGET   a wait of this number, from 0, of a stream for an event is not done: as if the program had left it out
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <memory>
#include <set>

#include KERNELS_SOURCE
#include "hazards.hpp"
#include "kernels_by_name.hpp"

namespace {

constexpr int SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, INVALID_IMAGE = 200, INVALID_CONTEXT = 201,
              INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, PEER_ACCESS_UNSUPPORTED = 217, PEER_ACCESS_ALREADY_ENABLED = 704,
              LAUNCH_FAILED = 719;
constexpr unsigned char POISON = 0xff;
constexpr size_t PAGE = emulator::PAGE;
constexpr int MOST_CARDS = 4;
constexpr int SHARED_OPT_IN = 99 << 10, SHARED_USUAL = 48 << 10;

using Address = unsigned long long;

struct Buffer {
  unsigned char* region;
  size_t region_bytes, bytes;
  int card;
};

// A kernel as a function of a module.
struct Function {
  std::string name;
  const Kernel* kernel;
  int most_dynamic = SHARED_USUAL;
};

struct Launch {
  Function* function;
  dim3 grid, block;
  unsigned shared;
  std::vector<uint64_t> words;
};

struct Clear {
  Address to;
  unsigned char value;
  size_t bytes;
};

using Task = std::function<void()>;
struct Stream {
  int number, card;
  hazards::Clock knows;
  std::deque<Task> tasks;
  int launches = 0;
  bool computes = false;
};

// A place on a stream that others may wait for: what the stream has done when it comes there.
struct Place {
  Stream* stream;
  bool passed = false;
  hazards::Clock knows;
};
struct Event {
  std::shared_ptr<Place> place;
};

// A node has a launch or a clear, and at most one node before it: chains are all that is made here.
struct Node {
  bool is_launch;
  Launch launch;
  Clear clear;
  Node* before;
};
struct Graph {
  int card;
  std::vector<Node*> nodes;
};
struct Executable {
  Graph* graph;
  std::map<Node*, Node> now;
  std::vector<Node*> order;
};

std::recursive_mutex lock;
using Locked = std::lock_guard<std::recursive_mutex>;
bool started = false;
// After an error that a card does not come back from.
bool broken = false;
int context_held[MOST_CARDS] = {};
// The card whose context is current.
thread_local int current = -1;
// The card that works.
int at_work = 0;
std::map<Address, Buffer> buffers;
std::set<Stream*> streams;
std::set<Event*> events;
// Memory of the machine that the card may read while the program goes on.
std::map<const unsigned char*, size_t> pinned;
// That of it which cards write.
std::set<const unsigned char*> written_by_cards;
// Whose memory each card reads.
bool reads_of[MOST_CARDS][MOST_CARDS] = {};
// With the card of each.
std::map<void*, int> modules;
std::map<std::string, Function> functions;
std::set<Graph*> graphs;
std::set<Executable*> executables;
size_t in_use[MOST_CARDS] = {};
std::map<std::string, long long> record;

[[noreturn]] void wrong(const char* what, const std::string& where = "") {
  fprintf(stderr, "the driver that is none: %s %s\n", what, where.c_str());
  fflush(stderr);
  _exit(4);
}

size_t number(const char* name, size_t otherwise) {
  const char* text = getenv(name);
  return text ? strtoull(text, nullptr, 10) : otherwise;
}

struct AtEnd {
  ~AtEnd() {
    record["left_buffers"] = (long long)buffers.size();
    record["left_streams"] = (long long)streams.size();
    record["left_events"] = (long long)events.size();
    record["left_pinned"] = (long long)pinned.size();
    record["left_modules"] = (long long)modules.size();
    record["left_graphs"] = (long long)(graphs.size() + executables.size());
    for (int held : context_held) record["left_contexts"] += held;
    if (const char* path = getenv("FAKE_CUDA_RECORD"))
      if (FILE* file = fopen(path, "w")) {
        for (auto& [name, count] : record) fprintf(file, "%s %lld\n", name.c_str(), count);
        fclose(file);
      }
  }
} at_end;

bool lies_in_a_buffer(Address address, size_t bytes, int card) {
  const auto next = buffers.upper_bound(address);
  if (next == buffers.begin()) return false;
  const auto& [begin, b] = *std::prev(next);
  return b.card == card && address - begin <= b.bytes && bytes <= b.bytes - (address - begin);
}

void within(Address address, size_t bytes, const char* what, int card) {
  if (!lies_in_a_buffer(address, bytes, card)) wrong("a range that lies in no memory of the card:", what);
}

void run(const Launch& launch) {
  static std::string running;
  running = launch.function->name;
  emulator::kernel_name = running.c_str();
  const auto& types = launch.function->kernel->parameters;
  for (size_t i = 0; i < types.size(); i++)
    if (types[i] == Type::pointer && launch.words[i] && !lies_in_a_buffer(launch.words[i], 1, at_work))
      wrong("a pointer into no memory of the card, for", running + ", parameter " + std::to_string(i));
  emulator::launch(launch.grid, launch.block, launch.shared, [&] { launch.function->kernel->run(launch.words); });
  record["kernels_run"]++;
}

void run(const Clear& clear) {
  within(clear.to, clear.bytes, "clear", at_work);
  hazards::access(reinterpret_cast<void*>(clear.to), clear.bytes, true);
  memset(reinterpret_cast<void*>(clear.to), clear.value, clear.bytes);
}

void step(Stream* stream) {
  Task task = std::move(stream->tasks.front());
  stream->tasks.pop_front();
  const int before = at_work;
  at_work = stream->card;
  task();
  at_work = before;
}

void drain(Stream* stream) {
  while (!stream->tasks.empty()) step(stream);
}

// Does what a stream has to do before a place.
void pass(const Place& place) {
  while (!place.passed) {
    if (place.stream->tasks.empty()) wrong("a place on a stream is waited for that it never comes to");
    step(place.stream);
  }
}

void trace(const Stream& stream, size_t cost, const std::string& name) {
  static const char* path = getenv("FAKE_CUDA_TRACE");
  static FILE* file = path ? fopen(path, "w") : nullptr;
  if (!file) return;
  fprintf(file, "%d %u %d %zu %s", stream.number, stream.knows.of[stream.number], stream.card, cost, name.c_str());
  for (uint32_t before : stream.knows.of) fprintf(file, " %u", before);
  fputc('\n', file);
  fflush(file);
}

// Asks a stream for work, which comes after all that the program has waited for.
template <class Body>
void push(Stream* stream, size_t cost, const std::string& name, Body body) {
  if (stream->card != current) wrong("a stream of one card is used in the context of another");
  stream->tasks.push_back([=, asked = hazards::host] {
    hazards::begin(stream->number, stream->knows, asked, name);
    trace(*stream, cost, name);
    if (!broken) body();
    hazards::end();
  });
}

void copy(void* to, const void* from, size_t bytes) {
  hazards::access(from, bytes, false);
  hazards::access(to, bytes, true);
  memcpy(to, from, bytes);
}

// The piece of pinned memory that has all of a range.
const unsigned char* pinned_piece(const void* at, size_t bytes) {
  const auto* begin = static_cast<const unsigned char*>(at);
  const auto next = pinned.upper_bound(begin);
  if (next == pinned.begin()) return nullptr;
  const auto& [piece, length] = *std::prev(next);
  return begin + bytes <= piece + length ? piece : nullptr;
}

size_t threads(const Launch& launch) {
  const dim3 &g = launch.grid, &b = launch.block;
  return size_t(g.x) * g.y * g.z * b.x * b.y * b.z;
}

// As a driver checks a launch, and the arguments beside: how many there are it cannot know, and no more can this one.
int check(Launch& launch, void** parameters) {
  if (!launch.function || !parameters) return INVALID_VALUE;
  const auto& g = launch.grid;
  const unsigned threads = launch.block.x * launch.block.y * launch.block.z;
  if (!g.x || !g.y || !g.z || g.y > 65535 || g.z > 65535 || !threads) return INVALID_VALUE;
  if (threads > launch.function->kernel->largest_block || (int)launch.shared > launch.function->most_dynamic) return INVALID_VALUE;
  for (Type type : launch.function->kernel->parameters) {
    uint64_t word = 0;
    memcpy(&word, parameters[launch.words.size()], type == Type::integer || type == Type::single_float ? 4 : 8);
    launch.words.push_back(word);
  }
  return SUCCESS;
}

// Whether this call is one that is to go wrong.
bool fails(const char* function) {
  const char* which = getenv("FAKE_CUDA_FAIL");
  const size_t length = strlen(function);
  if (!which || strncmp(which, function, length) || (which[length] && which[length] != ':')) return false;
  const bool now = record["calls_to_fail"]++ >= (which[length] ? atoll(which + length + 1) : 0);
  broken = broken || now;
  return now;
}

int entered() {
  if (!started) return NOT_INITIALIZED;
  return current >= 0 && context_held[current] ? SUCCESS : INVALID_CONTEXT;
}

void out_of_bounds(int, siginfo_t* info, void*) {
  char text[64];
  snprintf(text, sizeof text, "at %p", info->si_addr);
  emulator::fail("access out of bounds", text);
}

// As cuda.h has them.
struct KernelNode {
  Function* function;
  unsigned grid[3], block[3], shared;
  void **parameters, **extra;
  void *kernel, *context;
};
struct MemsetNode {
  Address to;
  size_t pitch;
  unsigned value, element;
  size_t width, height;
};

int fill(Node& node, const KernelNode* p) {
  node.is_launch = true;
  node.launch = {p->function, {p->grid[0], p->grid[1], p->grid[2]}, {p->block[0], p->block[1], p->block[2]}, p->shared, {}};
  return check(node.launch, p->parameters);
}
int fill(Node& node, const MemsetNode* p) {
  if (p->element != 1 || p->height != 1) return INVALID_VALUE;
  node.is_launch = false;
  node.clear = {p->to, (unsigned char)p->value, p->width};
  return SUCCESS;
}

template <class P>
int add(Node** out, Graph* graph, Node* const* before, size_t count, const P* p) {
  if (!graphs.count(graph) || count > 1) return INVALID_HANDLE;
  if (count != (graph->nodes.empty() ? 0 : 1) || (count && before[0] != graph->nodes.back()))
    wrong("a graph that is no chain: work of one stream comes one after the other");
  Node* node = new Node{};
  if (const int error = fill(*node, p)) return delete node, error;
  node->before = count ? before[0] : nullptr;
  graph->nodes.push_back(node);
  *out = node;
  return SUCCESS;
}

template <class P>
int change(Executable* executable, Node* node, const P* p) {
  const auto found = executable->now.find(node);
  if (!executables.count(executable) || found == executable->now.end()) return INVALID_HANDLE;
  Node changed{};
  if (const int error = fill(changed, p)) return error;
  // An update keeps the kernel.
  if (changed.is_launch != found->second.is_launch || (changed.is_launch && changed.launch.function != found->second.launch.function))
    return INVALID_VALUE;
  found->second.launch = changed.launch;
  found->second.clear = changed.clear;
  record["nodes_changed"]++;
  return SUCCESS;
}

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int
#define ENTER                                 \
  Locked locked(lock);                        \
  if (fails(__func__)) return LAUNCH_FAILED;  \
  if (const int error = entered()) return error

API cuInit(unsigned) {
  Locked locked(lock);
  started = true;
  struct sigaction action {};
  action.sa_sigaction = out_of_bounds;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
  return SUCCESS;
}
API cuDriverGetVersion(int* version) { return *version = (int)number("FAKE_CUDA_VERSION", 13000), SUCCESS; }
int cards() { return std::min((int)number("FAKE_CUDA_CARDS", 1), MOST_CARDS); }
API cuDeviceGetCount(int* count) { return started ? (*count = cards(), SUCCESS) : NOT_INITIALIZED; }
API cuDeviceGet(int* device, int ordinal) { return ordinal >= 0 && ordinal < cards() ? (*device = ordinal, SUCCESS) : INVALID_VALUE; }
API cuDeviceGetName(char* name, int length, int) { return snprintf(name, length, "Emulated RTX"), SUCCESS; }
API cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = number("FAKE_CUDA_MEMORY", 256 << 20), SUCCESS; }
API cuDeviceGetAttribute(int* value, int which, int) {
  switch (which) {
    case 16: *value = 8; break;              // multiprocessors
    case 75: *value = 8; break;              // compute capability
    case 76: *value = 9; break;
    case 97: *value = SHARED_OPT_IN; break;  // shared memory of a block, if asked for
    default: return INVALID_VALUE;
  }
  return SUCCESS;
}
API cuDevicePrimaryCtxRetain(void** context, int card) {
  Locked locked(lock);
  if (!started) return NOT_INITIALIZED;
  context_held[card]++;
  *context = &context_held[card];
  return SUCCESS;
}
API cuDevicePrimaryCtxRelease_v2(int card) {
  Locked locked(lock);
  if (!context_held[card]) return INVALID_CONTEXT;
  context_held[card]--;
  return SUCCESS;
}
API cuCtxSetCurrent(void* context) {
  for (current = cards() - 1; current >= 0 && context != &context_held[current];) current--;
  return SUCCESS;
}
API cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER;
  cuDeviceTotalMem_v2(total, 0);
  *free = *total - in_use[current];
  return SUCCESS;
}
API cuMemAlloc_v2(Address* address, size_t bytes) {
  ENTER;
  if (!bytes) return INVALID_VALUE;
  size_t total;
  cuDeviceTotalMem_v2(&total, 0);
  if (bytes > total - in_use[current]) return OUT_OF_MEMORY;
  const size_t inner = (bytes + PAGE - 1) / PAGE * PAGE;
  void* p = mmap(nullptr, inner + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return OUT_OF_MEMORY;
  auto* region = static_cast<unsigned char*>(p);
  mprotect(region + PAGE, inner, PROT_READ | PROT_WRITE);
  memset(region + PAGE, POISON, inner);
  *address = reinterpret_cast<Address>(region + PAGE);
  buffers[*address] = {region, inner + 2 * PAGE, bytes, current};
  hazards::watch(*address, bytes);
  in_use[current] += bytes;
  record["allocations"]++;
  record["bytes_allocated"] += (long long)bytes;
  return SUCCESS;
}
API cuMemFree_v2(Address address) {
  ENTER;
  const auto found = buffers.find(address);
  if (found == buffers.end()) return INVALID_VALUE;
  // Work that still comes to it finds no memory there.
  in_use[found->second.card] -= found->second.bytes;
  hazards::forget(address);
  munmap(found->second.region, found->second.region_bytes);
  buffers.erase(found);
  return SUCCESS;
}
API cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, Stream* stream) {
  ENTER;
  if (!streams.count(stream)) return INVALID_HANDLE;
  within(to, bytes, "copy to the card", stream->card);
  // From memory that is not pinned it has been read when this returns; else it is read some time, and must be the same until then
  // unless cards write there.
  const auto* piece = pinned_piece(from, bytes);
  const bool is_pinned = piece;
  const auto* begin = static_cast<const unsigned char*>(from);
  if (is_pinned && written_by_cards.count(piece)) {
    push(stream, bytes, "a_copy_to_the_card", [=] {
      if (!pinned.count(piece)) wrong("pinned memory was given back before it was copied");
      hazards::access_pinned(from, bytes, false);
      copy(reinterpret_cast<void*>(to), from, bytes);
    });
  } else {
    push(stream, bytes, "a_copy_to_the_card", [=, held = std::vector<unsigned char>(begin, begin + bytes)] {
      if (is_pinned && !pinned.count(piece)) wrong("pinned memory was given back before it was copied");
      if (is_pinned && memcmp(held.data(), begin, bytes)) wrong("pinned memory has changed before it was copied");
      copy(reinterpret_cast<void*>(to), held.data(), bytes);
    });
  }
  record[is_pinned ? "copies_from_pinned" : "copies_to"]++;
  record["bytes_to"] += (long long)bytes;
  return SUCCESS;
}
API cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, Stream* stream) {
  ENTER;
  if (!streams.count(stream)) return INVALID_HANDLE;
  within(from, bytes, "copy from the card", stream->card);
  const auto* piece = pinned_piece(to, bytes);
  if (piece) written_by_cards.insert(piece);
  push(stream, bytes, "a_copy_from_the_card", [=] {
    if (piece) {
      if (!pinned.count(piece)) wrong("pinned memory was given back before it was written");
      hazards::access_pinned(to, bytes, true);
    }
    copy(to, reinterpret_cast<void*>(from), bytes);
    if (number("FAKE_CUDA_NOISE", 0)) memset(to, 0xff, bytes);
  });
  record[piece ? "copies_to_pinned" : "copies_from"]++;
  return SUCCESS;
}
API cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, Stream* stream) {
  ENTER;
  if (!streams.count(stream)) return INVALID_HANDLE;
  within(to, bytes, "copy on the card", stream->card), within(from, bytes, "copy on the card", stream->card);
  if (from < to + bytes && to < from + bytes) wrong("a copy between places that overlap");
  push(stream, bytes, "a_copy_on_the_card", [=] { copy(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes); });
  return SUCCESS;
}
API cuDeviceCanAccessPeer(int* can, int device, int other) {
  if (device < 0 || other < 0 || device >= cards() || other >= cards()) return INVALID_VALUE;
  return *can = device != other && number("FAKE_CUDA_PEERS", 0), SUCCESS;
}
API cuCtxEnablePeerAccess(void* other, unsigned) {
  ENTER;
  const int card = int(static_cast<int*>(other) - context_held);
  int can = 0;
  if (card < 0 || card >= MOST_CARDS || cuDeviceCanAccessPeer(&can, current, card) || !can) return PEER_ACCESS_UNSUPPORTED;
  if (reads_of[current][card]) return PEER_ACCESS_ALREADY_ENABLED;
  reads_of[current][card] = true;
  return SUCCESS;
}
API cuMemcpyPeerAsync(Address to, void* to_context, Address from, void* from_context, size_t bytes, Stream* stream) {
  ENTER;
  if (!streams.count(stream)) return INVALID_HANDLE;
  const int to_card = int(static_cast<int*>(to_context) - context_held), from_card = int(static_cast<int*>(from_context) - context_held);
  within(to, bytes, "copy from card to card", to_card), within(from, bytes, "copy from card to card", from_card);
  if (!reads_of[to_card][from_card]) wrong("a copy between cards of which one does not read the other's memory");
  push(stream, bytes, "a_copy_from_card_to_card", [=] { copy(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes); });
  record["copies_between_cards"]++;
  return SUCCESS;
}
API cuMemsetD8Async(Address to, unsigned char value, size_t bytes, Stream* stream) {
  ENTER;
  if (!streams.count(stream)) return INVALID_HANDLE;
  push(stream, bytes, "a_clear", [=] { run(Clear{to, value, bytes}); });
  return SUCCESS;
}
API cuModuleLoadData(void** module, const void* image) {
  ENTER;
  // A fatbin, or the text of a program in PTX.
  const auto* bytes = static_cast<const unsigned char*>(image);
  if (memcmp(bytes, "\x50\xed\x55\xba", 4) && memcmp(bytes, "//", 2)) return INVALID_IMAGE;
  *module = new char;
  modules[*module] = current;
  for (auto& [name, kernel] : kernels) functions[name] = {name, &kernel};
  return SUCCESS;
}
API cuModuleUnload(void* module) {
  ENTER;
  const auto found = modules.find(module);
  if (found == modules.end()) return INVALID_HANDLE;
  for (Graph* graph : graphs)
    if (graph->card == found->second) wrong("a module is unloaded while there are graphs of its kernels");
  modules.erase(found);
  delete static_cast<char*>(module);
  return SUCCESS;
}
API cuModuleGetFunction(Function** function, void* module, const char* name) {
  ENTER;
  if (!modules.count(module)) return INVALID_HANDLE;
  const auto found = functions.find(name);
  if (found == functions.end()) return NOT_FOUND;
  *function = &found->second;
  return SUCCESS;
}
API cuFuncGetAttribute(int* value, int which, Function* function) {
  ENTER;
  switch (which) {
    case 0: *value = (int)function->kernel->largest_block; break;
    case 1: *value = 0; break;  // shared memory that it declares: the emulator has it elsewhere
    default: return INVALID_VALUE;
  }
  return SUCCESS;
}
API cuFuncSetAttribute(Function* function, int which, int value) {
  ENTER;
  if (which != 8 || value > SHARED_OPT_IN) return INVALID_VALUE;
  function->most_dynamic = value;
  return SUCCESS;
}
API cuFuncGetParamInfo(Function* function, size_t index, size_t* offset, size_t* size) {
  ENTER;
  const auto& types = function->kernel->parameters;
  if (index >= types.size()) return INVALID_VALUE;
  auto bytes = [&](size_t i) -> size_t { return types[i] == Type::integer || types[i] == Type::single_float ? 4 : 8; };
  *offset = 0;
  for (size_t i = 0; i < index; i++) *offset = (*offset + bytes(i) + bytes(i + 1) - 1) / bytes(i + 1) * bytes(i + 1);
  *size = bytes(index);
  return SUCCESS;
}
API cuStreamCreate(Stream** stream, unsigned) {
  ENTER;
  bool taken[hazards::STREAMS] = {};
  for (Stream* other : streams) taken[other->number] = true;
  int number = 0;
  while (number < hazards::STREAMS && taken[number]) number++;
  if (number == hazards::STREAMS) wrong("more streams than there are clocks for");
  // It goes on counting where the one before it with this number has ended.
  streams.insert(*stream = new Stream{number, current, hazards::host, {}});
  record["streams"]++;
  return SUCCESS;
}
API cuStreamDestroy_v2(Stream* stream) {
  ENTER;
  if (!streams.count(stream)) return INVALID_HANDLE;
  drain(stream);
  hazards::host.join(stream->knows);
  streams.erase(stream);
  delete stream;
  return SUCCESS;
}
API cuStreamSynchronize(Stream* stream) {
  ENTER;
  if (!streams.count(stream)) return INVALID_HANDLE;
  drain(stream);
  hazards::host.join(stream->knows);
  record["waits"]++;
  return SUCCESS;
}
API cuEventCreate(Event** event, unsigned) {
  ENTER;
  events.insert(*event = new Event);
  record["events"]++;
  return SUCCESS;
}
API cuEventDestroy_v2(Event* event) {
  ENTER;
  if (!events.erase(event)) return INVALID_HANDLE;
  delete event;
  return SUCCESS;
}
API cuEventRecord(Event* event, Stream* stream) {
  ENTER;
  if (!events.count(event) || !streams.count(stream)) return INVALID_HANDLE;
  auto place = event->place = std::make_shared<Place>(Place{stream, false, {}});
  stream->tasks.push_back([place] {
    place->passed = true;
    place->knows = place->stream->knows;
  });
  return SUCCESS;
}
API cuEventSynchronize(Event* event) {
  ENTER;
  if (!events.count(event)) return INVALID_HANDLE;
  if (event->place) {
    pass(*event->place);
    hazards::host.join(event->place->knows);
  }
  return SUCCESS;
}
// A card goes on by itself: whoever asks finds it a piece of work further.
API cuEventQuery(Event* event) {
  ENTER;
  if (!events.count(event)) return INVALID_HANDLE;
  if (!event->place) return SUCCESS;
  Place& place = *event->place;
  if (number("FAKE_CUDA_SLOW", 0) && !place.stream->computes) return NOT_READY;
  if (!place.passed && !place.stream->tasks.empty()) step(place.stream);
  if (!place.passed) return NOT_READY;
  hazards::host.join(place.knows);
  return SUCCESS;
}
API cuStreamWaitEvent(Stream* stream, Event* event, unsigned) {
  ENTER;
  if (!events.count(event) || !streams.count(stream)) return INVALID_HANDLE;
  if (record["event_waits"]++ == (long long)number("FAKE_CUDA_FORGET", -1)) return SUCCESS;
  // What the event is now; it may be used again.
  if (auto place = event->place)
    stream->tasks.push_back([=] {
      pass(*place);
      stream->knows.join(place->knows);
    });
  return SUCCESS;
}
API cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  ENTER;
  *memory = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
  if (!*memory) return OUT_OF_MEMORY;
  pinned[static_cast<unsigned char*>(*memory)] = bytes;
  hazards::watch_pinned(reinterpret_cast<uintptr_t>(*memory), bytes);
  return SUCCESS;
}
API cuMemFreeHost(void* memory) {
  ENTER;
  if (!pinned.erase(static_cast<unsigned char*>(memory))) return INVALID_VALUE;
  written_by_cards.erase(static_cast<unsigned char*>(memory));
  hazards::forget_pinned(reinterpret_cast<uintptr_t>(memory));
  free(memory);
  return SUCCESS;
}
API cuLaunchKernel(Function* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                   Stream* stream, void** parameters, void** extra) {
  ENTER;
  if (!streams.count(stream)) return INVALID_HANDLE;
  if (extra) return INVALID_VALUE;
  Launch launch{function, {gx, gy, gz}, {bx, by, bz}, shared, {}};
  if (const int error = check(launch, parameters)) return error;
  push(stream, threads(launch), function->name, [=] {
    stream->launches--;
    run(launch);
  });
  stream->computes = true;
  auto& most = record["most_launches_waiting"];
  most = std::max(most, (long long)++stream->launches);
  record["launches"]++;
  return SUCCESS;
}
API cuGraphCreate(Graph** graph, unsigned) {
  ENTER;
  graphs.insert(*graph = new Graph{current, {}});
  record["graphs"]++;
  return SUCCESS;
}
API cuGraphDestroy(Graph* graph) {
  ENTER;
  if (!graphs.erase(graph)) return INVALID_HANDLE;
  for (Node* node : graph->nodes) delete node;
  delete graph;
  return SUCCESS;
}
API cuGraphAddKernelNode_v2(Node** node, Graph* graph, Node* const* before, size_t count, const KernelNode* p) {
  ENTER;
  return add(node, graph, before, count, p);
}
API cuGraphAddMemsetNode(Node** node, Graph* graph, Node* const* before, size_t count, const MemsetNode* p, void*) {
  ENTER;
  return add(node, graph, before, count, p);
}
API cuGraphInstantiateWithFlags(Executable** executable, Graph* graph, unsigned long long) {
  ENTER;
  if (!graphs.count(graph)) return INVALID_HANDLE;
  executables.insert(*executable = new Executable{graph, {}, graph->nodes});
  for (Node* node : graph->nodes) (*executable)->now[node] = *node;
  return SUCCESS;
}
API cuGraphExecDestroy(Executable* executable) {
  ENTER;
  if (!executables.erase(executable)) return INVALID_HANDLE;
  delete executable;
  return SUCCESS;
}
API cuGraphExecKernelNodeSetParams_v2(Executable* executable, Node* node, const KernelNode* p) {
  ENTER;
  return change(executable, node, p);
}
API cuGraphExecMemsetNodeSetParams(Executable* executable, Node* node, const MemsetNode* p, void*) {
  ENTER;
  return change(executable, node, p);
}
API cuGraphLaunch(Executable* executable, Stream* stream) {
  ENTER;
  if (!executables.count(executable) || !streams.count(stream)) return INVALID_HANDLE;
  // What it has now: a change after this is of the next launch.
  std::vector<Node> work;
  for (Node* node : executable->order) work.push_back(executable->now[node]);
  for (const Node& node : work)
    if (node.is_launch)
      push(stream, threads(node.launch), node.launch.function->name, [node] { run(node.launch); });
    else
      push(stream, node.clear.bytes, "a_clear", [node] { run(node.clear); });
  record["graph_launches"]++;
  record["graph_nodes"] += (long long)work.size();
  return SUCCESS;
}
extern "C" __attribute__((visibility("default"))) int cuGetErrorString(int error, const char** text) {
  switch (error) {
    case INVALID_VALUE: *text = "invalid argument"; break;
    case OUT_OF_MEMORY: *text = "out of memory"; break;
    case NOT_INITIALIZED: *text = "initialization error"; break;
    case INVALID_IMAGE: *text = "device kernel image is invalid"; break;
    case INVALID_CONTEXT: *text = "invalid device context"; break;
    case INVALID_HANDLE: *text = "invalid resource handle"; break;
    case LAUNCH_FAILED: *text = "unspecified launch failure"; break;
    case NOT_FOUND: *text = "named symbol not found"; break;
    default: *text = "unknown error";
  }
  return SUCCESS;
}
