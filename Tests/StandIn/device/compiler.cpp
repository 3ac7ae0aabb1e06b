// libnvrtc: clang compiles the kernels into a shared library for the CPU, and that is the "cubin".
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "calls.h"

using namespace stand_in;

extern char **environ;

struct pcu_program_object {
  std::string source;
  std::string log;
  std::string cubin;
  bool compiled = false;
};

namespace {

enum Result : int { invalid_input = 3, invalid_program = 4, compilation = 6 };

std::set<pcu_program> programs;

const char prelude[] = {
#embed "prelude.h"
    , 0};
const char table_text[] = {
#embed "table.h"
    , 0};

bool write_file(const std::string &path, std::string_view text) {
  FILE *file = fopen(path.c_str(), "w");
  if (!file) return false;
  bool whole = fwrite(text.data(), 1, text.size(), file) == text.size();
  return fclose(file) == 0 && whole;
}

std::string read_file(const std::string &path) {
  std::string all;
  FILE *file = fopen(path.c_str(), "r");
  if (!file) return all;
  char part[65536];
  while (size_t count = fread(part, 1, sizeof part, file)) all.append(part, count);
  fclose(file);
  return all;
}

// A directory that goes with the object.
class Directory {
 public:
  Directory() {
    const char *above = getenv("TMPDIR");
    path_ = std::string(above && *above ? above : "/tmp") + "/stand-in.XXXXXX";
    if (!mkdtemp(path_.data())) path_.clear();
  }
  ~Directory() {
    for (const std::string &each : files_) unlink(each.c_str());
    if (!path_.empty()) rmdir(path_.c_str());
  }
  bool made() const { return !path_.empty(); }
  std::string file(const char *name) {
    std::string path = path_ + "/" + name;
    files_.insert(path);
    return path;
  }

 private:
  std::string path_;
  std::set<std::string> files_;
};

bool run_clang(std::vector<std::string> arguments, const std::string &input, const std::string &log) {
  std::vector<char *> pointers;
  for (std::string &each : arguments) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t child;
  int failure = posix_spawnp(&child, pointers[0], &files, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failure) return false;
  int status = 0;
  // A program that ignores SIGCHLD has no status to read: what was written tells then.
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return true;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The options that matter here: definitions, and whether code for a real architecture is wanted.
struct Options {
  std::vector<std::string> definitions;
  bool real_architecture = false;

  Options(int count, const char *const *texts) {
    std::string before;
    for (int i = 0; i < count; i++) {
      std::string text = texts[i];
      if (before == "-D" || before == "--define-macro") definitions.push_back("-D" + text);
      else if (text.starts_with("-D") && text != "-D") definitions.push_back(text);
      else if (text.starts_with("--define-macro=")) definitions.push_back("-D" + text.substr(15));
      if (text.find("sm_") != std::string::npos) real_architecture = true;
      before = text;
    }
  }
};

std::string compile(const std::string &source, const Options &options, std::string &log) {
  Directory directory;
  if (!directory.made()) {
    log = "no temporary directory\n";
    return "";
  }
  const char *wanted = getenv("STAND_IN_CHECKED");
  bool checked = wanted ? std::string_view(wanted) == "1" : STAND_IN_CHECKS;
  std::string text = directory.file("kernels.cu"), object = directory.file("kernels.o");
  std::string library = directory.file("kernels.so"), said = directory.file("log");
  std::string header = directory.file("prelude.h");
  if (!write_file(text, source) || !write_file(header, prelude) ||
      !write_file(directory.file("table.h"), table_text)) {
    log = "no room in the temporary directory\n";
    return "";
  }
  // The instruction set is the one the stand-in itself is built for, whichever machine compiles.
  std::vector<std::string> arguments = {STAND_IN_CLANG, "-x", "c++", "-std=c++20", "-O2", "-march=x86-64-v3", "-fPIC",
                                        "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-fno-math-errno",
                                        "-fdiagnostics-color=never", "-include", header, "-DPCU_STAND_IN=1",
                                        checked ? "-DSTAND_IN_CHECKED=1" : "-DSTAND_IN_CHECKED=0"};
  if (checked) {
    arguments.insert(arguments.end(), {"-fsanitize=thread", "-mllvm", "-tsan-instrument-func-entry-exit=0"});
  }
  arguments.insert(arguments.end(), options.definitions.begin(), options.definitions.end());
  arguments.insert(arguments.end(), {"-c", "-", "-o", object});
  std::string cubin;
  if (run_clang(arguments, text, said) &&
      run_clang({STAND_IN_CLANG, "-shared", "-s", object, "-o", library, "-lm"}, "/dev/null", said)) {
    cubin = read_file(library);
  }
  log = read_file(said);
  if (cubin.empty() && log.empty()) log = std::string(STAND_IN_CLANG) + " could not be run\n";
  return cubin;
}

}  // namespace

int nvrtcVersion(int *major, int *minor) {
  Call call("nvrtcVersion", Call::harmless);
  *major = 12;
  *minor = 9;
  return call.error;
}

int nvrtcCreateProgram(pcu_program *program, const char *source, const char *, int headers, const char *const *,
                       const char *const *) {
  Call call("nvrtcCreateProgram", Call::harmless);
  if (call.error) return call.error;
  if (!source || headers != 0) return invalid_input;
  *program = new pcu_program_object;
  (*program)->source = source;
  programs.insert(*program);
  return 0;
}

int nvrtcDestroyProgram(pcu_program *program) {
  Call call("nvrtcDestroyProgram", Call::harmless);
  if (call.error) return call.error;
  if (!program || programs.erase(*program) == 0) return invalid_program;
  delete *program;
  *program = nullptr;
  return 0;
}

int nvrtcCompileProgram(pcu_program program, int count, const char *const *options) {
  Call call("nvrtcCompileProgram", Call::harmless);
  if (call.error) return call.error;
  if (!programs.count(program)) return invalid_program;
  Options wanted(count, options);
  program->log.clear();
  std::string cubin = compile(program->source, wanted, program->log);
  if (cubin.empty()) return compilation;
  program->compiled = true;
  // Of a virtual architecture, which is also what it takes when none is named, NVRTC makes no cubin.
  program->cubin = wanted.real_architecture ? cubin : "";
  return 0;
}

int nvrtcGetProgramLogSize(pcu_program program, size_t *bytes) {
  Call call("nvrtcGetProgramLogSize", Call::harmless);
  if (call.error) return call.error;
  if (!programs.count(program)) return invalid_program;
  *bytes = program->log.size() + 1;
  return 0;
}

int nvrtcGetProgramLog(pcu_program program, char *log) {
  Call call("nvrtcGetProgramLog", Call::harmless);
  if (call.error) return call.error;
  if (!programs.count(program)) return invalid_program;
  memcpy(log, program->log.c_str(), program->log.size() + 1);
  return 0;
}

int nvrtcGetCUBINSize(pcu_program program, size_t *bytes) {
  Call call("nvrtcGetCUBINSize", Call::harmless);
  if (call.error) return call.error;
  if (!programs.count(program) || !program->compiled) return invalid_program;
  *bytes = program->cubin.size();
  return 0;
}

int nvrtcGetCUBIN(pcu_program program, char *cubin) {
  Call call("nvrtcGetCUBIN", Call::harmless);
  if (call.error) return call.error;
  if (!programs.count(program) || !program->compiled) return invalid_program;
  memcpy(cubin, program->cubin.data(), program->cubin.size());
  return 0;
}
