//! What the operator sees before it has SNS post to an endpoint.

use axum::http::StatusCode;
use jiff::Timestamp;
use pipeline::{
    reach::{REACHED_HEADER, is_proven},
    signature::SigningKeys,
};

use crate::{
    authority::Authority,
    message::TOPIC,
    site::{KEY, Site},
};

#[tokio::test]
async fn whoever_has_the_pipelines_keys_sees_whom_a_get_has_reached() {
    let site = Site::trusting(&Authority::new().pem).await;
    for request in [reqwest::Method::GET, reqwest::Method::HEAD] {
        let answer = site.ask(request).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let proof = answer.headers()[REACHED_HEADER].to_str().unwrap();
        let keys = SigningKeys::from_text(KEY).unwrap();
        assert!(is_proven(&keys, proof, TOPIC, Timestamp::now()));
        assert!(!is_proven(&keys, proof, &format!("{TOPIC}2"), Timestamp::now()));
        assert!(!format!("{:?}", answer.headers()).contains("work_complete"), "it tells the topic's name");
    }
}
