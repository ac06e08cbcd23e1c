use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};
use tokio::time::advance;

use super::*;
use crate::children::ChildCache;

const OWNER: &str = "site";

fn service(name: &str, version: u64, port: u16) -> Service {
    owned(
        name,
        version,
        port,
        &json!([{
            "apiVersion": "assetpipeline.dev/v1alpha1", "kind": "AssetPipeline", "name": OWNER, "uid": "u-1",
            "controller": true,
        }]),
    )
}

fn owned(name: &str, version: u64, port: u16, owners: &Value) -> Service {
    serde_json::from_value(json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "resourceVersion": version.to_string(),
            "ownerReferences": owners, "managedFields": [{"manager": "somebody", "operation": "Apply"}],
        },
        "spec": {"ports": [{"port": port}]},
    }))
    .unwrap()
}

/// Its port, where it is known.
fn port(board: &Board, name: &str) -> Option<i32> {
    match board.find::<Service>("shop", name) {
        Found::Known(found) => Some(found.spec.unwrap().ports.unwrap()[0].port),
        Found::Absent | Found::Unlisted => None,
    }
}

/// What a list of these objects makes news of.
fn list(board: &Board, objects: Vec<Service>) -> Vec<ObjectRef<AssetPipeline>> {
    assert_eq!(board.note::<Service>(Event::Init), []);
    for object in objects {
        assert_eq!(board.note(Event::InitApply(object)), []);
    }
    board.note::<Service>(Event::InitDone)
}

fn site() -> [ObjectRef<AssetPipeline>; 1] {
    [ObjectRef::new(OWNER).within("shop")]
}

#[tokio::test(start_paused = true)]
async fn nothing_is_known_before_the_first_list_and_nothing_of_it_is_news() {
    let board = Board::default();
    assert_eq!(board.find::<Service>("shop", "a"), Found::Unlisted);
    assert_eq!(list(&board, vec![service("a", 1, 80)]), []);
    assert_eq!(port(&board, "a"), Some(80));
    assert_eq!(board.find::<Service>("shop", "b"), Found::Absent);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_for_known_where_nothing_may_be_listed() {
    let board = Board::default();
    board.hear::<Service>(Told::Refused(Part::of("shop")));
    assert!(board.is_answered());
    list(&board, vec![]);
    assert_eq!(board.find::<Service>("shop", "a"), Found::Unlisted);
    assert_eq!(board.find::<Service>("blog", "a"), Found::Absent);
    board.hear::<Service>(Told::Event(Event::Apply(service("a", 1, 80))));
    board.hear::<Service>(Told::Allowed(Part::of("shop")));
    assert_eq!(port(&board, "a"), Some(80));
    assert_eq!(board.find::<Service>("shop", "b"), Found::Absent);
    board.hear::<Service>(Told::Refused(Part::all()));
    assert_eq!(board.find::<Service>("blog", "a"), Found::Unlisted);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_read_is_kept_and_only_its_change_is_news() {
    let board = Board::default();
    list(&board, vec![]);
    assert_eq!(board.note(Event::Apply(service("a", 1, 80))), site());
    let mut touched = service("a", 2, 80);
    touched.metadata.creation_timestamp = serde_json::from_value(json!("2026-11-27T00:00:00Z")).unwrap();
    touched.status =
        Some(serde_json::from_value(json!({"loadBalancer": {"ingress": [{"ip": "::1"}]}})).unwrap());
    assert_eq!(board.note(Event::Apply(touched)), []);
    let Found::Known(found) = board.find::<Service>("shop", "a") else { panic!("it is not known") };
    let mut expected = service("a", 2, 80);
    expected.metadata.managed_fields = None;
    expected.metadata.resource_version = None;
    assert_eq!(*found, expected);
    assert_eq!(board.note(Event::Apply(service("a", 3, 81))), site());
    // Whose it was hears of it.
    assert_eq!(board.note(Event::Apply(owned("a", 4, 81, &json!([])))), site());
    assert_eq!(board.note(Event::Apply(owned("a", 5, 82, &json!([])))), []);
    assert_eq!(board.note(Event::Apply(service("a", 6, 82))), site());
    assert_eq!(board.note(Event::Delete(service("a", 7, 82))), site());
    assert_eq!(port(&board, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn own_write_is_known_before_the_watch_tells_of_it_and_is_no_news() {
    let board = Board::default();
    list(&board, vec![service("a", 1, 80)]);
    board.note_written(&service("a", 3, 83));
    assert_eq!(port(&board, "a"), Some(83));
    // What came before it does not take it back, and what comes after it counts.
    assert_eq!(board.note(Event::Apply(service("a", 2, 82))), []);
    assert_eq!(port(&board, "a"), Some(83));
    assert_eq!(board.note(Event::Apply(service("a", 3, 83))), []);
    assert_eq!(board.note(Event::Apply(service("a", 4, 84))), site());
    // An answer that comes late is older than what the watch has told.
    board.note_written(&service("a", 3, 83));
    assert_eq!(port(&board, "a"), Some(84));
}

#[tokio::test(start_paused = true)]
async fn list_from_before_a_write_does_not_take_it_back_until_it_must_have_gone() {
    let board = Board::default();
    list(&board, vec![]);
    assert_eq!(board.note::<Service>(Event::Init), []);
    board.note_written(&service("a", 3, 83));
    assert_eq!(board.note::<Service>(Event::InitDone), []);
    assert_eq!(port(&board, "a"), Some(83));
    advance(LATEST).await;
    assert_eq!(port(&board, "a"), None);
}

#[tokio::test(start_paused = true)]
async fn list_that_begins_after_a_write_takes_back_what_somebody_deleted_meanwhile() {
    let board = Board::default();
    list(&board, vec![service("b", 2, 80)]);
    board.note_written(&service("a", 3, 83));
    board.note_deleted("shop", "b");
    advance(Duration::from_secs(1)).await;
    assert_eq!(list(&board, vec![service("b", 2, 80)]), [site(), site()].concat());
    assert_eq!((port(&board, "a"), port(&board, "b")), (None, Some(80)));
    // So does one that began before it and has what came after it.
    board.note::<Service>(Event::Init);
    board.note_written(&service("c", 5, 85));
    board.note(Event::InitApply(service("b", 7, 80)));
    assert_eq!(board.note::<Service>(Event::InitDone), site());
    assert_eq!(port(&board, "c"), None);
}

#[tokio::test(start_paused = true)]
async fn answer_that_comes_after_the_watch_told_of_the_end_brings_nothing_back() {
    let board = Board::default();
    list(&board, vec![]);
    assert_eq!(board.note(Event::Apply(service("a", 3, 83))), site());
    assert_eq!(board.note(Event::Delete(service("a", 4, 83))), site());
    board.note_written(&service("a", 3, 83));
    assert_eq!(port(&board, "a"), None);
    // What the watch has not told yet goes when it does.
    board.note_written(&service("a", 5, 85));
    assert_eq!(port(&board, "a"), Some(85));
    assert_eq!(board.note(Event::Delete(service("a", 6, 85))), site());
    assert_eq!(port(&board, "a"), None);
    // Another namespace may have a watch of its own, which is not as far.
    let mut elsewhere = service("a", 2, 82);
    elsewhere.metadata.namespace = Some("blog".to_owned());
    board.note_written(&elsewhere);
    assert!(matches!(board.find::<Service>("blog", "a"), Found::Known(_)));
}

#[tokio::test(start_paused = true)]
async fn own_write_is_no_news_where_the_watch_is_faster_than_the_answer() {
    let children = ChildCache::default();
    let board = Service::board(&children).unwrap();
    list(board, vec![service("a", 1, 80)]);
    let begin = || children.begin::<Service>("shop", "a").unwrap();
    let writing = begin();
    assert_eq!(board.note(Event::Apply(service("a", 2, 81))), []);
    assert!(!writing.note_written(&service("a", 2, 81)));
    // Somebody else's, before and after ours, or instead of it.
    for (heard, answered) in [(3, 4), (6, 5)] {
        let writing = begin();
        assert_eq!(board.note(Event::Apply(service("a", heard, 83))), []);
        assert!(writing.note_written(&service("a", answered, 84)));
    }
    drop(begin());
    assert_eq!(board.note(Event::Apply(service("a", 7, 87))), site());
    let writing = begin();
    assert_eq!(board.note(Event::Delete(service("a", 8, 87))), []);
    assert!(writing.note_written(&service("a", 9, 89)));
    let writing = begin();
    assert!(!writing.note_written(&service("a", 10, 90)));
}

#[tokio::test(start_paused = true)]
async fn own_deletion_is_known_before_the_watch_tells_of_it() {
    let board = Board::default();
    list(&board, vec![service("a", 1, 80)]);
    board.note_deleted("shop", "a");
    assert_eq!(port(&board, "a"), None);
    assert_eq!(board.note(Event::Delete(service("a", 2, 80))), []);
    assert_eq!(board.note(Event::Apply(service("a", 5, 85))), site());
    assert_eq!(port(&board, "a"), Some(85));
    // One that was made and deleted before the watch told of it.
    board.note_written(&service("b", 6, 86));
    board.note_deleted("shop", "b");
    assert_eq!(port(&board, "b"), None);
    assert_eq!(board.note(Event::Apply(service("b", 6, 86))), []);
    assert_eq!(port(&board, "b"), None);
    assert_eq!(board.note(Event::Delete(service("b", 7, 86))), []);
}

#[tokio::test(start_paused = true)]
async fn object_that_somebody_made_anew_is_the_one_that_is_known() {
    let board = Board::default();
    list(&board, vec![service("a", 1, 80)]);
    board.note_written(&service("a", 3, 83));
    assert_eq!(board.note(Event::Apply(service("a", 3, 83))), []);
    assert_eq!(board.note(Event::Delete(service("a", 4, 83))), site());
    assert_eq!(board.note(Event::Apply(service("a", 5, 85))), site());
    assert_eq!(port(&board, "a"), Some(85));
}

#[tokio::test(start_paused = true)]
async fn list_after_a_broken_watch_tells_what_came_what_changed_and_what_went() {
    let board = Board::default();
    list(&board, vec![service("a", 1, 80), service("b", 2, 80)]);
    assert_eq!(list(&board, vec![service("a", 1, 80), service("b", 2, 80)]), []);
    assert_eq!(list(&board, vec![service("a", 1, 80)]), site());
    assert_eq!(list(&board, vec![service("a", 3, 81)]), site());
    assert_eq!(list(&board, vec![service("a", 3, 81), service("c", 4, 80)]), site());
    assert_eq!((port(&board, "a"), port(&board, "b"), port(&board, "c")), (Some(81), None, Some(80)));
}
