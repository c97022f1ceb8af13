// Guest memory for tests: a file that both sides map.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/virtio/guest_memory.h"
#include "tests/unit/device/support.h"
#include "wire/sys/mapped_region.h"

namespace virtgpu::test {

constexpr uint64_t kGuestBase = 0x100000;
constexpr uint64_t kVmmBase = 0x7f0000000000;

class GuestFile {
 public:
    explicit GuestFile(uint64_t size) : size_(size), file_(::memfd_create("guest", MFD_CLOEXEC)) {
        EXPECT_EQ(::ftruncate(file_.number(), static_cast<off_t>(size)), 0);
        region_ = *wire::map_region(file_.number(), size);
    }
    int number() const { return file_.number(); }
    virtio::MemoryRange range() const { return {kGuestBase, size_, kVmmBase, 0}; }

    template <typename T>
    void write(uint64_t address, T value) {
        EXPECT_TRUE(region_->copy_in(address - kGuestBase, bytes_of(value)));
    }
    void write_bytes(uint64_t address, std::span<const std::byte> bytes) {
        EXPECT_TRUE(region_->copy_in(address - kGuestBase, bytes));
    }
    template <typename T>
    T read(uint64_t address) const {
        return number_at<T>(read_bytes(address, sizeof(T)), 0);
    }
    std::vector<std::byte> read_bytes(uint64_t address, size_t size) const {
        std::vector<std::byte> bytes(size);
        EXPECT_TRUE(region_->copy_out(address - kGuestBase, bytes));
        return bytes;
    }

 private:
    uint64_t size_;
    wire::FileDescriptor file_;
    std::shared_ptr<wire::Region> region_;
};

// A driver's side of a queue.
class Driver {
 public:
    static constexpr uint16_t kNext = 1;
    static constexpr uint16_t kWrite = 2;
    static constexpr uint16_t kIndirect = 4;

    Driver(GuestFile& guest, uint16_t size, uint64_t base)
        : guest_(guest), size_(size), base_(base) {}

    // As after a boot.
    void restart() {
        guest_.write_bytes(base_, std::vector<std::byte>(used() + 4096 - base_));
        index_ = 0;
    }
    uint16_t size() const { return size_; }
    uint64_t descriptors() const { return base_; }
    uint64_t available() const { return base_ + 16ULL * size_; }
    uint64_t used() const { return available() + 4096; }

    void describe(uint64_t table, uint16_t index, uint64_t address, uint32_t length,
                  uint16_t flags = 0, uint16_t next = 0) {
        guest_.write_bytes(table + 16ULL * index, bytes_of(address, length, flags, next));
    }
    void describe(uint16_t index, uint64_t address, uint32_t length, uint16_t flags = 0,
                  uint16_t next = 0) {
        describe(descriptors(), index, address, length, flags, next);
    }
    void offer(uint16_t head) {
        guest_.write<uint16_t>(available() + 4 + 2ULL * (index_ % size_), head);
        guest_.write<uint16_t>(available() + 2, ++index_);
    }
    void set_available_index(uint16_t index) { guest_.write<uint16_t>(available() + 2, index); }
    void set_flags(uint16_t flags) { guest_.write<uint16_t>(available(), flags); }
    void set_used_event(uint16_t event) {
        guest_.write<uint16_t>(available() + 4 + 2ULL * size_, event);
    }
    uint16_t available_event() const { return guest_.read<uint16_t>(used() + 4 + 8ULL * size_); }
    uint16_t used_index() const { return guest_.read<uint16_t>(used() + 2); }
    uint32_t used_head(uint16_t index) const {
        return guest_.read<uint32_t>(used() + 4 + 8ULL * (index % size_));
    }
    uint32_t used_length(uint16_t index) const {
        return guest_.read<uint32_t>(used() + 8 + 8ULL * (index % size_));
    }

 private:
    GuestFile& guest_;
    uint16_t size_;
    uint64_t base_;
    uint16_t index_ = 0;
};

}  // namespace virtgpu::test
