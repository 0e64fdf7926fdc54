// CUDA's compiler at run time, NVRTC: it calls g++, with the command in PRETENDED_COMPILER, on the kernel's text and what
// `device.h` says about CUDA, and keeps the libraries that come out in PRETENDED_PROGRAMS.
#include "pretended.h"
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

enum nvrtcResult { NVRTC_SUCCESS = 0, NVRTC_ERROR_COMPILATION = 6 };
struct Program {
    std::string text, log, library;
    std::vector<std::string> expressions;       // f<float>, of which NVRTC makes an instance, and names it
    std::map<std::string, std::string> lowered;  // these names
};

static std::string variable(const char* name) {
    const char* value = std::getenv(name);
    if (!value) {
        std::fprintf(stderr, "%s is not set: start programs with `python -m tests.helpers.pretended_cuda run`\n", name);
        std::abort();
    }
    return value;
}

static std::string read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// The two things in a kernel's text that no header can explain to g++.
static std::string translated(std::string text) {
    static const std::regex clock(R"re(asm volatile\("mov\.u64 %0, %globaltimer;" : "=l"\((\w+)\)\))re"),
        shared(R"re(extern\s+__shared__\s+(\w[\w ]*?)\s+(\w+)\s*\[\s*\]\s*;)re");
    text = std::regex_replace(text, clock, "$1 = emulation::nanoseconds()");
    return std::regex_replace(text, shared, "$1* $2 = ($1*)emulation::dynamic;");
}

// The kernels that are no templates, by their names in the text.
static std::set<std::string> plain_kernels(const std::string& text) {
    static const std::regex kernel(R"re(__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\()re");
    std::set<std::string> names;
    for (std::sregex_iterator i(text.begin(), text.end(), kernel), end; i != end; ++i) {
        size_t before = text.rfind("template", i->position());
        bool is_template = before != std::string::npos && text.find_first_of(";}", before) > (size_t)i->position();
        if (!is_template) names.insert((*i)[1]);
    }
    return names;
}

// What CuPy says that concerns g++ too: -I and -D; the rest is about GPUs.
static std::string flags(int count, const char* const* options) {
    std::string all;
    for (int i = 0; i < count; i++) {
        std::string option = options[i];
        if (option.rfind("-I", 0) == 0 || option.rfind("-D", 0) == 0) all += " '" + option + "'";
    }
    return all;
}

API const char* nvrtcGetErrorString(nvrtcResult) { return "g++ refused the kernel"; }
API nvrtcResult nvrtcVersion(int* major, int* minor) { *major = 13, *minor = 0; return NVRTC_SUCCESS; }
API nvrtcResult nvrtcGetNumSupportedArchs(int* count) { *count = 1; return NVRTC_SUCCESS; }
API nvrtcResult nvrtcGetSupportedArchs(int* archs) { *archs = 90; return NVRTC_SUCCESS; }

API nvrtcResult nvrtcCreateProgram(Program** p, const char* text, const char*, int, const char* const*, const char* const*) {
    *p = new Program{translated(text)};
    return NVRTC_SUCCESS;
}
API nvrtcResult nvrtcDestroyProgram(Program** p) { delete *p; return NVRTC_SUCCESS; }

API nvrtcResult nvrtcAddNameExpression(Program* p, const char* expression) {
    p->lowered[expression] = "kernel" + std::to_string(p->expressions.size());
    p->expressions.push_back(expression);
    return NVRTC_SUCCESS;
}
API nvrtcResult nvrtcGetLoweredName(Program* p, const char* expression, const char** name) {
    *name = p->lowered[expression].c_str();
    return NVRTC_SUCCESS;
}

API nvrtcResult nvrtcCompileProgram(Program* p, int count, const char* const* options) {
    std::ostringstream whole;
    bool barriers = p->text.find("__sync") != std::string::npos || p->text.find("__shfl") != std::string::npos;
    auto add = [&](const std::string& name, const std::string& kernel) {
        whole << "API void run_" << name << "(const unsigned* shape, void** args) { emulation::launch(&" << kernel
              << ", shape, args, " << barriers << "); }\n";
    };
    whole << p->text << "\n#define API extern \"C\" __attribute__((visibility(\"default\")))\n";
    for (auto& [expression, name] : p->lowered) add(name, expression);
    if (p->lowered.empty()) for (auto& name : plain_kernels(p->text)) add(name, name);

    std::string command = variable("PRETENDED_COMPILER") + flags(count, options);
    size_t number = std::hash<std::string>()(whole.str() + command);
    std::string path = variable("PRETENDED_PROGRAMS") + "/" + std::to_string(number);
    p->library = path + ".so";
    if (access(p->library.c_str(), F_OK) == 0) return NVRTC_SUCCESS;
    std::string mine = path + "." + std::to_string(getpid());  // several processes may be at it
    std::ofstream(mine + ".cpp") << whole.str();
    command += " -o '" + mine + ".so' '" + mine + ".cpp' > '" + mine + ".log' 2>&1";
    if (std::system(command.c_str()) != 0) {
        p->log = read(mine + ".log");
        return NVRTC_ERROR_COMPILATION;
    }
    std::rename((mine + ".so").c_str(), p->library.c_str());
    for (const char* suffix : {".cpp", ".log"}) std::remove((mine + suffix).c_str());
    return NVRTC_SUCCESS;
}

static nvrtcResult size(const std::string& text, size_t* n) { *n = text.size() + 1; return NVRTC_SUCCESS; }
static nvrtcResult give(const std::string& text, char* to) { std::strcpy(to, text.c_str()); return NVRTC_SUCCESS; }
API nvrtcResult nvrtcGetPTXSize(Program* p, size_t* n) { return size(p->library, n); }
API nvrtcResult nvrtcGetPTX(Program* p, char* to) { return give(p->library, to); }
API nvrtcResult nvrtcGetCUBINSize(Program* p, size_t* n) { return size(p->library, n); }
API nvrtcResult nvrtcGetCUBIN(Program* p, char* to) { return give(p->library, to); }
API nvrtcResult nvrtcGetProgramLogSize(Program* p, size_t* n) { return size(p->log, n); }
API nvrtcResult nvrtcGetProgramLog(Program* p, char* to) { return give(p->log, to); }
