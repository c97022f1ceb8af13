#pragma once

#include <string>
#include <vector>

#include "doctor/check.h"

namespace virtgpu::doctor {

// Whether the sockets can be made, or who listens there now and who may connect.
class SocketsCheck : public Check {
 public:
    struct Place {
        std::string path;
        bool for_machines;
    };

    explicit SocketsCheck(std::vector<Place> places) : places_(std::move(places)) {}
    Findings examine() override;

 private:
    std::vector<Place> places_;
};

}  // namespace virtgpu::doctor
