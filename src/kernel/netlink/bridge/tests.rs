//! Bridges on the wire, as old and new kernels show them.

use super::*;
use crate::values::VlanProtocol;

/// A bridge as shown by a kernel that has these settings.
fn shown(known: &BridgeOptions) -> LinkMessage {
    let mut message = link_message::named(&"br0".parse().unwrap());
    let data = LinkInfo::Data(InfoData::Bridge(encode_options(known)));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge), data]));
    message
}

#[test]
fn what_an_old_kernel_takes_and_does_not_know_is_told() {
    let wanted = BridgeOptions {
        filtering: Some(true),
        protocol: Some(VlanProtocol::Ieee8021ad),
        ..BridgeOptions::default()
    };
    let told =
        |known: &BridgeOptions| shown_without(&wanted.differing(&decode_options(&shown(known))).words());
    assert_eq!(told(&wanted), Ok(()));
    let old = BridgeOptions { protocol: None, ..wanted.clone() };
    let refusal = told(&old).unwrap_err();
    let text = "the kernel accepted this but does not report vlan_protocol 802.1ad; it may be too old";
    assert_eq!(refusal.to_string(), text);
    // The kernel applied the other settings, and they have to be rolled back.
    assert!(refusal.answer_lost);
    let other = BridgeOptions { protocol: Some(VlanProtocol::Ieee8021q), ..wanted.clone() };
    assert_eq!(told(&other).unwrap_err().to_string(), text);
}
