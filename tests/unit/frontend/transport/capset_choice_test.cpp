#include "frontend/transport/capset_choice.h"

#include <gtest/gtest.h>

#include "frontend/level1_command.h"
#include "wire/reader.h"

namespace virtgpu::frontend {
namespace {

using enum CapsetOffer;

TEST(CapsetChoice, KnowsOurOwnByItsMagic) {
    EXPECT_EQ(offer_of({1, 1, protocol::kCapsetMagic}), kOurs);
    EXPECT_EQ(offer_of({1, 1, 0}), kForeign);
}

TEST(CapsetChoice, PrefersApir) {
    for (const CapsetOffer venus : {kNone, kOurs, kForeign})
        EXPECT_EQ(choose_capset({kOurs, venus}, false), (CapsetChoice{10, true}));
}

TEST(CapsetChoice, TakesVenusAndDoubtsAForeignOne) {
    EXPECT_EQ(choose_capset({kNone, kOurs}, false), (CapsetChoice{4, true}));
    EXPECT_EQ(choose_capset({kForeign, kOurs}, false), (CapsetChoice{4, true}));
    EXPECT_EQ(choose_capset({kNone, kForeign}, false), (CapsetChoice{4, false}));
}

TEST(CapsetChoice, TakesUpstreamsApir) {
    for (const CapsetOffer venus : {kNone, kForeign})
        for (const bool apir_only : {false, true})
            EXPECT_EQ(choose_capset({kForeign, venus}, apir_only), (CapsetChoice{10, true}));
}

TEST(CapsetChoice, LeavesVenusAloneWhenTold) {
    EXPECT_EQ(choose_capset({kOurs, kOurs}, true), (CapsetChoice{10, true}));
    for (const CapsetOffer venus : {kNone, kOurs, kForeign}) {
        const auto choice = choose_capset({kNone, venus}, true);
        ASSERT_FALSE(choice);
        EXPECT_EQ(choice.error().fault(), wire::Fault::kRefused);
    }
}

TEST(CapsetChoice, RefusesADeviceThatIsNotOurs) {
    EXPECT_EQ(choose_capset({kNone, kNone}, false).error().fault(), wire::Fault::kRefused);
}

TEST(CapsetChoice, VenusCountsCommandTypesFromElsewhere) {
    const wire::Writer command = doorbell_command(7, Doorbell::kRing);
    const auto bytes = on_venus(command.bytes());
    wire::Reader reader(bytes);
    EXPECT_EQ(*reader.number<int32_t>(), 331 + 2);
    EXPECT_TRUE(std::equal(bytes.begin() + 4, bytes.end(), command.bytes().begin() + 4));
}

}  // namespace
}  // namespace virtgpu::frontend
