#pragma once

#include <mutex>
#include <vector>

#include "frontend/tensor_description.h"

namespace virtgpu::frontend {

// Who wants to know of tensors that are given places in buffers. Told on any thread.
class PlaceObserver {
 public:
    virtual ~PlaceObserver() = default;
    virtual void note_place(const ggml_tensor& tensor, const TensorPlace& place) = 0;
};

// Thread safe. An observer is not told any more when remove() has returned.
class PlaceObservers {
 public:
    void add(PlaceObserver& observer);
    void remove(PlaceObserver& observer);
    void tell(const ggml_tensor& tensor, const TensorPlace& place);

 private:
    std::mutex mutex_;
    std::vector<PlaceObserver*> observers_;
};

}  // namespace virtgpu::frontend
