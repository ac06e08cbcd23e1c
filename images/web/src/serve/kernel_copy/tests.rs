use std::pin::Pin;

use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::TcpListener,
};

use super::*;
use crate::serve::pulse::{Felt, Heads, Pulse};

async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, client)
}

fn body(length: usize) -> Bytes {
    (0..length).map(|number| u8::try_from(number % 251).unwrap()).collect()
}

#[test]
fn small_bodies_are_better_copied() {
    assert!(KernelCopy::of(&body(MIN_BYTES - 1)).is_none());
    let bytes = body(MIN_BYTES);
    let copy = KernelCopy::of(&bytes).unwrap();
    assert!(copy.is_of(&bytes.clone()));
    assert!(!copy.is_of(&body(MIN_BYTES)), "equal bytes elsewhere may change");
}

#[test]
fn body_is_recognised_by_its_address_and_nothing_else_is() {
    let bytes = body(MIN_BYTES);
    let copy = KernelCopy::of(&bytes).unwrap();
    let head = b"HTTP/1.1 200 OK\r\n\r\n";
    let equal = body(MIN_BYTES);
    let part = |slices: &[&[u8]]| {
        let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        copy.part(&slices).map(|part| (part.head.len(), part.offset, part.length))
    };
    assert_eq!(part(&[head, &bytes]), Some((head.len(), 0, MIN_BYTES)));
    assert_eq!(part(&[&bytes[100..], head]), Some((0, 100, MIN_BYTES - 100)));
    assert_eq!(part(&[&bytes[5..9]]), Some((0, 5, 4)));
    for other in
        [&[head.as_slice(), &equal] as &[&[u8]], &[head], &[&bytes[..0]], &[head, &equal, &bytes], &[]]
    {
        assert_eq!(part(other), None);
    }
}

#[tokio::test]
async fn connection_sends_the_kernels_copy_in_its_place_and_forgets_it_then() {
    let (bytes, head) = (body(1 << 20), vec![b'h'; 300]);
    // Other content tells which of the two was sent.
    let content = vec![b'k'; bytes.len()];
    let copy = Arc::new(KernelCopy::with_content(&bytes, &content).unwrap());
    let (server, mut client) = connection().await;
    let pulse = Arc::new(Pulse::new(tokio::time::Instant::now(), Heads::Timed));
    pulse.give(Some(copy));
    let (written, felt) = (head.clone(), pulse.clone());
    let writing = tokio::spawn(async move {
        let mut felt = Felt { stream: server, pulse: felt };
        let all = [written.as_slice(), &bytes, b"end"];
        let mut done = 0;
        while done < all.concat().len() {
            let mut skipped = done;
            let rest = all.iter().filter_map(|slice| {
                let rest = slice.get(skipped.min(slice.len())..).filter(|rest| !rest.is_empty());
                skipped -= skipped.min(slice.len());
                rest.map(IoSlice::new)
            });
            let rest: Vec<_> = rest.collect();
            done += std::future::poll_fn(|context| Pin::new(&mut felt).poll_write_vectored(context, &rest))
                .await
                .unwrap();
        }
    });
    let mut came = Vec::new();
    client.read_to_end(&mut came).await.unwrap();
    writing.await.unwrap();
    assert!(came == [head.as_slice(), &content, b"end"].concat(), "something else was sent");
    assert!(pulse.take_given().is_none(), "an idle connection keeps a body");
}

#[tokio::test]
async fn answer_whose_head_is_given_again_and_again_stays_what_it_is() {
    let bytes = body(MIN_BYTES);
    let copy = KernelCopy::of(&bytes).unwrap();
    let (server, mut client) = connection().await;
    let mut expected = Vec::new();
    for head in (0..60).map(|number| format!("head {}", number / 25)) {
        let slices = [IoSlice::new(head.as_bytes()), IoSlice::new(&bytes)];
        let part = copy.part(&slices).unwrap();
        let sent = std::future::poll_fn(|context| copy.poll_send(&server, &part, context)).await.unwrap();
        assert!(copy.ends_with(&part, sent), "the socket has room for all of it");
        expected = [head.as_bytes(), &bytes].concat();
        let mut came = vec![0; expected.len()];
        client.read_exact(&mut came).await.unwrap();
        assert!(came == expected, "something else was sent");
    }
    assert!(expected.starts_with(b"head 2"));
}

#[tokio::test]
async fn client_that_is_gone_is_an_error() {
    let bytes = body(1 << 20);
    let copy = KernelCopy::of(&bytes).unwrap();
    let (server, client) = connection().await;
    drop(client);
    let slices = [IoSlice::new(&bytes)];
    let part = copy.part(&slices).unwrap();
    let send = || std::future::poll_fn(|context| copy.poll_send(&server, &part, context));
    let mut failed = false;
    for _ in 0..100 {
        failed |= send().await.is_err();
        if failed {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(failed);
}
