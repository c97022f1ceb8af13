// Workers that compute with another library, as the device process has them: one for each context.
// The library is tests/apir/known_answers_library.cpp.
#include "tests/unit/device/apir/renderer_fixture.h"

namespace virtgpu::apir {
namespace {

using protocol::ForwardCommand;
using namespace test;

class LibraryWorkersTest : public RendererTest {
 protected:
    void SetUp() override {
        limits_.level2 = false;
        worker_per_context_ = true;
        WorkerOptions options;
        options.program = VIRTGPU_WORKER;
        options.apir_library = VIRTGPU_KNOWN_ANSWERS;
        options.graph_seconds = 1;
        start(options);
        ASSERT_EQ(call(loadlibrary(kReplies)), 0U) << log_.text();
    }

    bool computes(Context* context) {
        return call(forward(ForwardCommand::kDeviceGetDeviceCount, kReplies), context) ==
                   protocol::kApirForwardSuccess &&
               reader_.payload_word(0) == 0x67452301U;
    }
};

TEST_F(LibraryWorkersTest, ACallThatNeverReturnsCostsItsContextAlone) {
    Context* const other = add_context(2);
    ASSERT_EQ(call(loadlibrary(kReplies), other), 0U);
    bool answered = false;
    context_->submit(forward(ForwardCommand::kBufferGetTensor, kReplies, uint64_t{3'600'000}),
                     [&] { answered = true; });
    EXPECT_TRUE(computes(other));
    run_until(*loop_, [&] { return answered; });
    EXPECT_EQ(reader_.take(), protocol::kApirForwardSuccess) << "upstream's frontend goes on";
    run_until(*loop_,
              [&] { return log_.text().find("exited with status 3") != std::string::npos; });
    EXPECT_TRUE(computes(other));
    // And what comes later has a worker of its own.
    Context* const next = add_context(3);
    ASSERT_EQ(call(loadlibrary(kReplies), next), 0U);
    EXPECT_TRUE(computes(next));
}

}  // namespace
}  // namespace virtgpu::apir
