#include "frontend/place_observers.h"

#include <gtest/gtest.h>

namespace virtgpu::frontend {
namespace {

struct Counter : PlaceObserver {
    void note_place(const ggml_tensor& /*tensor*/, const TensorPlace& place) override {
        bytes += place.offset;
    }
    uint64_t bytes = 0;
};

TEST(PlaceObserversTest, TellsEachUntilItIsTakenOut) {
    PlaceObservers observers;
    Counter first;
    Counter second;
    const ggml_tensor tensor{};
    observers.tell(tensor, {{}, 1, 0});
    observers.add(first);
    observers.add(second);
    observers.tell(tensor, {{}, 10, 0});
    observers.remove(first);
    observers.tell(tensor, {{}, 100, 0});
    EXPECT_EQ(first.bytes, 10U);
    EXPECT_EQ(second.bytes, 110U);
}

}  // namespace
}  // namespace virtgpu::frontend
