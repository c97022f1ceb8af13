// To be preloaded: the plug-in then believes that ggml is older than any that it works with.
extern "C" __attribute__((visibility("default"))) const char* ggml_version() {
    return "0.22.0";
}
