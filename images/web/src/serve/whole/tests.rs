use tokio::{io::AsyncReadExt, net::TcpListener};

use super::*;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, client)
}

fn body(length: usize) -> Bytes {
    (0..length).map(|number| u8::try_from(number % 251).unwrap()).collect()
}

fn whole(body: &Bytes) -> Whole {
    Whole::new(HEAD.to_vec(), body.clone(), KernelCopy::of(body).map(Arc::new))
}

async fn send(whole: &Whole, stream: &TcpStream) -> io::Result<()> {
    let mut sent = 0;
    std::future::poll_fn(|context| whole.poll_send(stream, &mut sent, context)).await
}

#[test]
fn small_bodies_are_better_copied() {
    assert!(KernelCopy::of(&body(MIN_COPIED - 1)).is_none());
    let bytes = body(MIN_COPIED);
    let copy = KernelCopy::of(&bytes).unwrap();
    assert!(copy.is_of(&bytes.clone()));
    assert!(!copy.is_of(&body(MIN_COPIED)), "equal bytes elsewhere may change");
}

#[test]
fn kernel_has_the_head_beside_the_body_only_where_it_is_given_often() {
    let given = |whole: &Whole, times: u32| (0..times).filter(|_| whole.together(0).is_some()).count();
    let often = whole(&body(MAX_WITH_HEAD));
    assert!((0..OFTEN).all(|_| often.together(1).is_none()), "what goes on was counted as begun");
    assert_eq!((given(&often, OFTEN), given(&often, 3)), (0, 3));
    let is_body_in_kernel = |whole: &Whole| whole.copy.as_ref().is_some_and(|copy| copy.copied.is_some());
    assert!(!is_body_in_kernel(&often), "it has the body twice");
    let large = whole(&body(MAX_WITH_HEAD + 1));
    assert!(is_body_in_kernel(&large));
    assert_eq!((given(&large, 2 * OFTEN), given(&whole(&body(100)), 2 * OFTEN)), (0, 0));
}

#[test]
fn place_of_a_copy_is_free_again_when_the_last_who_sends_it_is_done() {
    let bytes = body(MAX_KIB << 8);
    let copies: Vec<_> = std::iter::from_fn(|| KernelCopy::of(&bytes)).take(5).collect();
    // Other tests have copies at the same time, and smaller ones.
    assert!((3..=4).contains(&copies.len()), "{}", copies.len());
    drop(copies);
    assert!(KernelCopy::of(&bytes).is_some());
}

#[tokio::test]
async fn answer_is_the_same_whichever_way_and_in_however_many_pieces_it_is_sent() {
    for length in [0, 100, MIN_COPIED, MAX_WITH_HEAD, MAX_WITH_HEAD + 1, 3 << 20] {
        let (bytes, (server, mut client)) = (body(length), connection().await);
        let expected = [HEAD, &bytes].concat();
        let sending = tokio::spawn(async move {
            let whole = whole(&bytes);
            for _ in 0..2 * OFTEN {
                send(&whole, &server).await.unwrap();
            }
        });
        for _ in 0..2 * OFTEN {
            let mut came = vec![0; expected.len()];
            client.read_exact(&mut came).await.unwrap();
            assert!(came == expected, "something else was sent of {length} bytes");
        }
        sending.await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn kernels_copies_are_what_is_sent() {
    // Other content than the body's tells which of the two was sent.
    for (length, is_with_head) in [(MAX_WITH_HEAD, true), (MAX_WITH_HEAD + 1, false)] {
        let (bytes, (server, mut client)) = (body(length), connection().await);
        let marked = vec![b'k'; length];
        let mut whole = whole(&bytes);
        if is_with_head {
            whole.given = AtomicU32::new(OFTEN);
            whole.together.set(Copied::of(&[HEAD, &marked])).unwrap();
        } else {
            whole.copy = Some(Arc::new(KernelCopy { bytes, copied: Copied::of(&[&marked]) }));
        }
        let sending = tokio::spawn(async move { send(&whole, &server).await });
        let mut came = Vec::new();
        client.read_to_end(&mut came).await.unwrap();
        sending.await.unwrap().unwrap();
        assert!(came == [HEAD, &marked].concat(), "a copy of {length} bytes was not used");
    }
}

#[tokio::test]
async fn client_that_is_gone_is_an_error() {
    for length in [100, MAX_WITH_HEAD, 1 << 20] {
        let (server, client) = connection().await;
        drop(client);
        let whole = whole(&body(length));
        let mut failed = false;
        for _ in 0..1_000 {
            failed |= send(&whole, &server).await.is_err();
            if failed {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert!(failed);
    }
}
