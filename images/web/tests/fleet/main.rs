//! Several web pods on embedded ports, in virtual time: one owner per key, and what becomes of those who
//! wait when it fails. The worker's part is played by the test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod live;
mod purges;
mod refreshes;
mod rotation;
mod site;

use std::{collections::BTreeSet, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use pipeline::settings::OnOff;
use site::{BOUNDS, Bounds, HOLD, Site, member, path_with_ranks};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

/// Longer than all that a pod does at once.
const SOON: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn crowd_over_three_pods_costs_one_job_of_the_owner() {
    let site = Site::new(3);
    let path = path_with_ranks(&[2, 0, 1]);
    let visitors: Vec<_> = (0..300).map(|visitor| site.pods[visitor % 3].visitor(&path)).collect();
    let (owner, job) = site.take_job().await;
    assert_eq!(owner, 2);
    site.compile(&job, "a{}").await;
    for visitor in visitors {
        let answer = visitor.await.unwrap();
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"a{}"[..]));
        assert_eq!(answer.header("cache-status"), "AssetPipeline; fwd=uri-miss; stored; detail=held");
    }
    assert_eq!(site.jobs_waiting().await, 0);
    assert_eq!([0, 1, 2].map(|pod| site.lanes.asked(pod).len()), [0, 0, 2], "one wait per key and pod");
    for pod in &site.pods {
        assert_eq!(pod.get(&path).await.header("cache-status"), "AssetPipeline; hit; detail=memory");
    }
    assert_eq!(site.pods[0].samples("assets_web_forwards_total"), ["{outcome=\"answered\"} 1"]);
    assert_eq!(site.pods[0].samples("assets_web_holds_ended_total"), ["{way=\"owner\"} 1"]);
    assert_eq!(site.pods[2].samples("assets_web_holds_ended_total"), ["{way=\"recheck\"} 1"]);
}

#[tokio::test(start_paused = true)]
async fn lost_owner_costs_its_visitors_one_more_job_of_the_next_in_rank() {
    for (first, second, third) in [(0, 1, 2), (1, 2, 0), (2, 0, 1)] {
        let site = Site::new(3);
        let path = path_with_ranks(&[first, second, third]);
        let visitors: Vec<_> = [second, third, second, third].map(|pod| site.pods[pod].visitor(&path)).into();
        let (owner, _never_run) = site.take_job().await;
        assert_eq!(owner, first);
        sleep(Duration::from_secs(3)).await;
        site.lanes.cut(first);
        let (owner, job) = site.take_job().await;
        assert_eq!(owner, second);
        let cut = Instant::now();
        site.compile(&job, "a{}").await;
        for visitor in visitors {
            assert_eq!(visitor.await.unwrap().body, "a{}");
        }
        assert!(cut.elapsed() < Duration::from_secs(1), "it took {:?}", cut.elapsed());
        assert_eq!(site.jobs_waiting().await, 0, "more than one extra job");
        assert_eq!(site.pods[third].fleet.size(), 2, "the lost pod still counts");
    }
}

#[tokio::test(start_paused = true)]
async fn member_that_was_left_out_owns_its_keys_again_once_it_answers() {
    let site = Site::new(2);
    site.lanes.cut(1);
    let path = path_with_ranks(&[1, 0]);
    let visitor = site.pods[0].visitor(&path);
    let (owner, job) = site.take_job().await;
    assert_eq!(owner, 0);
    site.compile(&job, "a{}").await;
    assert_eq!(visitor.await.unwrap().body, "a{}");
    site.pods[0].fleet.probe_left_out().await;
    assert_eq!(site.pods[0].fleet.size(), 1);
    site.lanes.mend(1);
    site.pods[0].fleet.probe_left_out().await;
    assert_eq!(site.pods[0].fleet.size(), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_asked_acts_as_the_owner_and_asks_nobody() {
    let site = Site::new(3);
    let path = path_with_ranks(&[2, 1, 0]);
    // Pod 0 has not heard of pod 2, the owner.
    site.pods[0].fleet.set_members(&[member(0), member(1)]);
    let visitor = site.pods[0].visitor(&path);
    let (owner, job) = site.take_job().await;
    assert_eq!(owner, 1);
    site.compile(&job, "a{}").await;
    assert_eq!(visitor.await.unwrap().body, "a{}");
    assert_eq!([0, 1, 2].map(|pod| site.lanes.asked(pod).len()), [0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn pod_that_waits_elsewhere_takes_over_when_it_is_asked() {
    let site = Site::new(3);
    let path = path_with_ranks(&[2, 1, 0]);
    let at_one = site.pods[1].visitor(&path);
    let (owner, first) = site.take_job().await;
    assert_eq!(owner, 2);
    // Pod 0 has not heard of pod 2, and waits at pod 1, which itself waits at pod 2.
    site.pods[0].fleet.set_members(&[member(0), member(1)]);
    let at_zero = site.pods[0].visitor(&path);
    let (owner, second) = site.take_job().await;
    assert_eq!((owner, second.path), (1, first.path.clone()));
    site.compile(&first, "a{}").await;
    assert_eq!(at_zero.await.unwrap().body, "a{}");
    assert_eq!(at_one.await.unwrap().body, "a{}");
    assert_eq!(site.pods[1].samples("assets_web_forwards_total"), ["{outcome=\"taken_over\"} 1"]);
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn deadlines_of_those_who_wait_at_an_owner_stay_their_own() {
    let site = Site::new(2);
    let path = path_with_ranks(&[1, 0]);
    let started = Instant::now();
    let early = site.pods[0].visitor(&path);
    sleep(Duration::from_secs(20)).await;
    let late = site.pods[0].visitor(&path);
    assert_eq!(early.await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(started.elapsed(), HOLD);
    let (_, job) = site.take_job().await;
    site.compile(&job, "a{}").await;
    assert_eq!(late.await.unwrap().body, "a{}");
    assert!(started.elapsed() < HOLD + Duration::from_secs(1));
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn store_answers_those_whose_owner_cannot() {
    // The owner hears no notice and does not look; its connection holds.
    let site = Site::with(&[OnOff::On, OnOff::Off], BOUNDS);
    let path = path_with_ranks(&[1, 0]);
    let started = Instant::now();
    let visitor = site.pods[0].visitor(&path);
    let (owner, job) = site.take_job().await;
    assert_eq!(owner, 1);
    site.compile(&job, "a{}").await;
    assert_eq!(visitor.await.unwrap().body, "a{}");
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    assert_eq!(site.pods[0].samples("assets_web_forwards_total"), ["{outcome=\"needless\"} 1"]);
}

#[tokio::test(start_paused = true)]
async fn answers_that_the_owner_did_not_sign_for_this_wait_are_not_believed() {
    for (status, body) in [
        (StatusCode::OK, &b"{}"[..]),
        (StatusCode::OK, br#"{"job":null,"manifest":{"version":1}}"#),
        (StatusCode::BAD_GATEWAY, b""),
        (StatusCode::TOO_MANY_REQUESTS, b""),
    ] {
        let site = Site::new(2);
        site.lanes.forge(1, status, body);
        let path = path_with_ranks(&[1, 0]);
        let visitor = site.pods[0].visitor(&path);
        let (owner, job) = site.take_job().await;
        assert_eq!(owner, 1);
        site.compile(&job, "a{}").await;
        // Pod 1 has ended its hold; what it said was replaced on the way. Pod 0 goes on by itself.
        let (owner, job) = site.take_job().await;
        assert_eq!(owner, 0);
        site.compile(&job, "b{}").await;
        assert_eq!(visitor.await.unwrap().body, "b{}");
        assert_eq!(site.pods[0].fleet.size(), 2, "one bad answer makes no lost pod");
    }
}

#[tokio::test(start_paused = true)]
async fn captured_wait_opens_no_hold_when_it_is_sent_again() {
    let site = Site::new(3);
    let path = path_with_ranks(&[1, 0, 2]);
    let visitor = site.pods[0].visitor(&path);
    let (_, job) = site.take_job().await;
    site.compile(&job, "a{}").await;
    visitor.await.unwrap();
    let asked = site.lanes.asked(1);
    let [(headers, body)] = asked.as_slice() else { panic!("{asked:?}") };
    let post = async |pod: usize, body: &[u8]| {
        let mut request = Request::post("/wait").body(Body::from(body.to_vec())).unwrap();
        *request.headers_mut() = headers.clone();
        site.pods[pod].internal.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(post(1, body).await, StatusCode::OK, "the hold's own answer, from memory");
    assert_eq!(post(2, body).await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(post(1, b"{}").await, StatusCode::UNAUTHORIZED);
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn draining_owner_answers_who_waits_and_sends_newcomers_to_the_next_in_rank() {
    let site = Site::new(3);
    let path = path_with_ranks(&[0, 1, 2]);
    let (own, of_peer) = (site.pods[0].visitor(&path), site.pods[2].visitor(&path));
    let (_, job) = site.take_job().await;
    site.pods[0].web.drain();

    let newcomer = site.pods[0].get("/new.css").await;
    assert_eq!((newcomer.status, newcomer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    assert_eq!(newcomer.header("connection"), "close");
    let other = (0..).map(|number| format!("/o/{number}.css"));
    let other = other.clone().find(|path| site::ranks(path, 3)[0] == 0).unwrap();
    let elsewhere = site.pods[2].visitor(&other);
    let (owner, other_job) = site.take_job().await;
    assert_eq!(owner, site::ranks(&other, 3)[1]);
    site.compile(&other_job, "b{}").await;
    assert_eq!(elsewhere.await.unwrap().body, "b{}");

    site.compile(&job, "a{}").await;
    assert_eq!((own.await.unwrap().body, of_peer.await.unwrap().body), ("a{}".into(), "a{}".into()));
    site.pods[0].web.until_peers_are_answered().await;
    assert_eq!(site.pods[0].get(&path).await.status, StatusCode::OK, "a hit is served to the end");
}

#[tokio::test(start_paused = true)]
async fn owner_that_stops_sends_waits_to_the_next_in_rank() {
    let site = Site::new(3);
    let path = path_with_ranks(&[0, 1, 2]);
    let of_peer = site.pods[2].visitor(&path);
    site.take_job().await;
    sleep(SOON).await;
    site.pods[0].web.finish().await;
    let (owner, job) = site.take_job().await;
    assert_eq!(owner, 1);
    site.compile(&job, "a{}").await;
    assert_eq!(of_peer.await.unwrap().body, "a{}");
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn waits_of_peers_are_bounded_and_go_elsewhere_beyond() {
    let site = Site::with(&[OnOff::On; 2], Bounds { waits: 1, ..BOUNDS });
    let mut paths = (0..).map(|number| format!("/{number}.css")).filter(|path| site::ranks(path, 2)[0] == 1);
    let (first, second) = (paths.next().unwrap(), paths.next().unwrap());
    let one = site.pods[0].visitor(&first);
    let (owner, first) = site.take_job().await;
    assert_eq!(owner, 1);
    let two = site.pods[0].visitor(&second);
    let (owner, second) = site.take_job().await;
    assert_eq!(owner, 0, "the full owner was not passed over");
    for job in [&first, &second] {
        site.compile(job, "a{}").await;
    }
    assert_eq!((one.await.unwrap().body, two.await.unwrap().body), ("a{}".into(), "a{}".into()));
}

#[tokio::test(start_paused = true)]
async fn full_house_sends_away_the_latest_of_the_biggest_crowd_and_the_job_goes_on() {
    let site = Site::with(&[OnOff::On], Bounds { held: 4, held_of_tenant: 3, ..BOUNDS });
    let [pod] = site.pods.as_slice() else { panic!("one pod was asked for") };
    let visitor = |tenant: &str| pod.visitor_with("/app.css", &[("host", &format!("{tenant}.example"))]);
    let crowd = [visitor("crowd"), visitor("crowd"), visitor("crowd")];
    sleep(SOON).await;
    let refused = visitor("crowd").await.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    let other = visitor("other");
    sleep(SOON).await;
    let newcomer = visitor("newcomer");
    let [first, second, latest] = crowd;
    assert_eq!(latest.await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        pod.samples("assets_web_visitors_refused_total").into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from(["{why=\"put_out\"} 1".to_owned(), "{why=\"tenant\"} 1".to_owned()])
    );
    assert_eq!(pod.samples("assets_web_visitors_held"), [" 4"]);
    assert_eq!(pod.samples("assets_web_holds_open"), [" 3"]);

    // Who leaves makes room; the last of all to leave leaves the job behind.
    first.abort();
    sleep(SOON).await;
    let again = visitor("crowd");
    sleep(SOON).await;
    assert!(!again.is_finished() && !other.is_finished());
    for gone in [second, again, other, newcomer] {
        gone.abort();
    }
    sleep(SOON).await;
    assert!(pod.samples("assets_web_visitors_held").is_empty());
    for _ in 0..3 {
        let (_, job) = site.take_job().await;
        site.compile(&job, "a{}").await;
    }
    assert_eq!(visitor("crowd").await.unwrap().body, "a{}");
    assert_eq!(site.jobs_waiting().await, 0);
}

#[tokio::test(start_paused = true)]
async fn oldest_wait_is_told_while_it_lasts() {
    let site = Site::new(1);
    let [pod] = site.pods.as_slice() else { panic!("one pod was asked for") };
    let oldest = || pod.samples("assets_web_oldest_wait_seconds");
    assert_eq!(oldest(), [" 0.0"]);
    let visitor = pod.visitor("/app.css");
    sleep(Duration::from_secs(3)).await;
    let _late = pod.visitor("/late.css");
    assert_eq!(oldest(), [" 3.0"]);
    let (_, job) = site.take_job().await;
    site.compile(&job, "a{}").await;
    visitor.await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let of_late: f64 = oldest()[0].trim().parse().unwrap();
    assert!((1.0..2.0).contains(&of_late), "the second visitor alone still waits, for {of_late} s");
}

#[tokio::test(start_paused = true)]
async fn job_carries_the_trace_of_the_request_from_whichever_pod_it_came() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    for pod in [0, 1] {
        let site = Site::new(2);
        let path = path_with_ranks(&[1, 0]);
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let _visitor =
            site.pods[pod].visitor_with(&path, &[("host", "shop.example"), ("traceparent", &parent)]);
        let (owner, job) = site.take_job().await;
        let traceparent = job.traceparent.unwrap();
        assert_eq!((owner, &traceparent[..36]), (1, &*format!("00-{TRACE}-")), "{traceparent}");
        assert_ne!(traceparent, parent, "a step of our own");
    }
}
