//! How one target can be spelled: what browsers, C libraries and Unicode make of it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Spellings of an IPv4 address as a URL's host, IPv6 forms that carry it apart.
pub(crate) fn v4_hosts(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let whole = address.to_bits();
    let (three, two) = (whole & 0xffff, whole & 0xff_ffff);
    let dotted = address.to_string();
    let mapped = |digit: &dyn Fn(char) -> char| dotted.chars().map(digit).collect::<String>();
    let shifted = |zero: char| move |digit: char| digit.to_digit(10).map_or(digit, |n| shift(zero, n));
    vec![
        dotted.clone(),
        format!("{dotted}."),
        format!("{dotted}:80"),
        whole.to_string(),
        format!("{whole}."),
        format!("{whole:#x}"),
        format!("0X{whole:X}"),
        format!("0x{whole:016x}"),
        format!("0{whole:o}"),
        format!("00000{whole:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0x{a:04X}.0x{b:04X}.0x{c:04X}.0x{d:04X}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.000{b:o}.000{c:o}.000{d:o}"),
        format!("{a:#x}.0{b:o}.{c}.{d:#x}"),
        format!("{a}.{b}.{three}"),
        format!("{a}.{b}.{three:#x}"),
        format!("{a}.{two}"),
        format!("0{a:o}.{two:#X}"),
        format!("{a:#x}.{two}."),
        format!("%{}", dotted.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join("%")),
        dotted.replace('.', "%2E"),
        dotted.replace('.', "\u{3002}"),
        dotted.replace('.', "\u{ff0e}"),
        dotted.replace('.', "\u{ff61}"),
        dotted.replace('.', "%E3%80%82"),
        mapped(&shifted('\u{ff10}')),
        mapped(&shifted('\u{1d7ce}')),
        mapped(&shifted('\u{1d7d8}')),
        mapped(&shifted('\u{1d7f6}')),
        mapped(&circled),
        mapped(&superscript),
        dotted.replacen('.', "\u{ad}.", 1),
        dotted.replacen('.', ".\u{200b}", 1),
        dotted.replacen('.', ".\t", 1),
        format!("www.shop.example@{dotted}"),
        format!("www.shop.example:80@{dotted}"),
        format!("www.shop.example%2F@{dotted}"),
        format!("93.184.215.14@{dotted}:80"),
        format!(":@{dotted}"),
    ]
}

/// IPv6 forms that carry an IPv4 address, or that may lead to it.
pub(crate) fn v6_carriers(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    vec![
        format!("[::ffff:{address}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:FFFF:{high:X}:{low:X}]"),
        format!("[0000:0000:0000:0000:0000:ffff:{high:04x}:{low:04x}]:80"),
        format!("[::{address}]"),
        format!("[::ffff:0:{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[64:FF9B:0:0:0:0:{high:X}:{low:X}]"),
        format!("[64:ff9b:1::{address}]"),
        format!("[64:ff9b:1:{high:x}:{c:x}:{d:x}00::]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:{high:x}:{low:x}::1]"),
        format!("[2001::{:x}:{:x}]", !high, !low),
        format!("[2606:4700::5efe:{address}]"),
        format!("[2606:4700::200:5efe:{high:x}:{low:x}]"),
        format!("[fe80::5efe:{address}]"),
    ]
}

/// Spellings of an IPv6 address as a URL's host.
pub(crate) fn v6_hosts(address: Ipv6Addr) -> Vec<String> {
    let segments = address.segments();
    let [.., high, low] = segments;
    let written = |form: &dyn Fn(&u16) -> String| segments.iter().map(form).collect::<Vec<_>>();
    let long = written(&|segment| format!("{segment:x}")).join(":");
    let tail = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    vec![
        format!("[{address}]"),
        format!("[{address}]:80"),
        format!("[{}]", address.to_string().to_uppercase()),
        format!("[{long}]"),
        format!("[{}]", written(&|segment| format!("{segment:04X}")).join(":")),
        format!("[{}:{tail}]", written(&|segment| format!("{segment:x}"))[..6].join(":")),
        format!("www.shop.example@[{long}]"),
        format!("[{address}%25lo]"),
        format!("[{address}%lo]"),
        format!("%5B{address}%5D"),
        address.to_string(),
    ]
}

fn shift(zero: char, digit: u32) -> char {
    char::from_u32(u32::from(zero) + digit).unwrap()
}

fn circled(digit: char) -> char {
    match digit.to_digit(10) {
        Some(0) => '\u{24ea}',
        Some(digit) => shift('\u{245f}', digit),
        None => digit,
    }
}

fn superscript(digit: char) -> char {
    match digit.to_digit(10) {
        Some(1) => '\u{b9}',
        Some(digit @ (2 | 3)) => shift('\u{b0}', digit),
        Some(digit) => shift('\u{2070}', digit),
        None => digit,
    }
}
