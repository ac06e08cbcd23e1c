//! What the other side may say: whole messages, ones that are nearly right, and noise.

use pipeline::options::CompileOptions;
use proptest::{collection::vec, prelude::*};
use worker::child::{
    Confinement,
    protocol::{FromChild, Hello, Known, Order, ToChild, encode},
};

/// One piece of a speech.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let path = "[/a-z_.{}\\\\\"\u{0}ä]{0,12}";
    prop_oneof![
        Just(encode(Hello::Ready(Confinement::Full)).unwrap()),
        Just(encode(Hello::Unfit { reason: "x".to_owned() }).unwrap()),
        path.prop_map(|path| encode(FromChild::Probe { path }).unwrap()),
        path.prop_map(|path| encode(FromChild::Read { path }).unwrap()),
        vec(any::<usize>(), 0..4).prop_map(|places| encode(FromChild::Used { places }).unwrap()),
        (path, any::<bool>())
            .prop_map(|(css, stays)| encode(FromChild::Done { result: Ok(css), stays }).unwrap()),
        (path, any::<bool>()).prop_map(|(message, stays)| encode(FromChild::Done {
            result: Err(message),
            stays
        })
        .unwrap()),
        path.prop_map(|entry| encode(order(entry)).unwrap()),
        path.prop_map(|text| encode(ToChild::Source(Some(text))).unwrap()),
        Just(encode(ToChild::Source(None)).unwrap()),
        vec(any::<u8>(), 0..64).prop_map(framed),
        "[\\[{\":, \\]}a-zA-Z0-9\\\\]{0,64}".prop_map(|text| framed(text.into_bytes())),
        (1_u32..2_000).prop_map(|depth| framed(b"[".repeat(depth as usize))),
        any::<u32>().prop_map(|length| length.to_le_bytes().to_vec()),
        vec(any::<u8>(), 0..16),
    ]
}

/// Some pieces, of which a few bytes may have been changed, and the end be missing.
pub(crate) fn speech() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (vec(piece(), 0..6), changes, prop::option::of(any::<prop::sample::Index>())).prop_map(
        |(pieces, changes, cut)| {
            let mut speech = pieces.concat();
            for (place, byte) in changes.into_iter().filter(|_| !pieces.is_empty()) {
                let length = speech.len().max(1);
                speech.get_mut(place.index(length)).into_iter().for_each(|old| *old = byte);
            }
            if let Some(cut) = cut {
                speech.truncate(cut.index(speech.len() + 1));
            }
            speech
        },
    )
}

pub(crate) fn order(entry: String) -> ToChild {
    ToChild::Compile(Box::new(Order {
        entry,
        load_paths: Vec::new(),
        site: None,
        options: CompileOptions::default(),
        known: Known::default(),
    }))
}

fn framed(body: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [length.to_le_bytes().to_vec(), body].concat()
}
