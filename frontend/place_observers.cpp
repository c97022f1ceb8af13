#include "frontend/place_observers.h"

#include <algorithm>

namespace virtgpu::frontend {

void PlaceObservers::add(PlaceObserver& observer) {
    const std::lock_guard lock(mutex_);
    observers_.push_back(&observer);
}

void PlaceObservers::remove(PlaceObserver& observer) {
    const std::lock_guard lock(mutex_);
    observers_.erase(std::remove(observers_.begin(), observers_.end(), &observer),
                     observers_.end());
}

void PlaceObservers::tell(const ggml_tensor& tensor, const TensorPlace& place) {
    const std::lock_guard lock(mutex_);
    for (PlaceObserver* const observer : observers_)
        observer->note_place(tensor, place);
}

}  // namespace virtgpu::frontend
