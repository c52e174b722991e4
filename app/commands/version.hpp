#pragma once

#include <string>

namespace breakwater {

/// "breakwater 0.1.0"; `verbose`: and a line for the compiler and for each library: the version that was
/// compiled against, and the one that is loaded, or else its file. For bug reports, and for whoever must know
/// whether a library with a known hole is in use.
std::string version_text(bool verbose);

} // namespace breakwater
