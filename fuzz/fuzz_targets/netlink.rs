//! What the kernel answers.
#![no_main]

use ifupdown_ng_netlink::kernel::netlink::fuzz::answer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    answer(bytes);
});
