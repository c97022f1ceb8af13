#include "frontend/host_probe.h"

#include "frontend/apir_client.h"

namespace virtgpu::frontend {

using wire::Result;

namespace {

Result<void> shake_hands(Transport& transport) {
    const auto client = TRY(ApirClient::create(transport));
    TRY(client->handshake(kProbeTime));
    return {};
}

}  // namespace

Result<void> expect_host(Transport& transport) {
    if (const auto answer = shake_hands(transport); !answer)
        return wire::fail(wire::Fault::kRefused, "no host of ours: {}", answer.error().message());
    return {};
}

}  // namespace virtgpu::frontend
