use std::sync::Mutex;

use super::*;

/// One file of a changing content, whose ETag it is; notes each request's condition.
struct OneFile {
    content: Mutex<&'static str>,
    /// Empty for none.
    conditions: Mutex<Vec<String>>,
}

#[async_trait]
impl Origin for OneFile {
    async fn fetch(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, OriginError> {
        let known = known.and_then(|known| known.etag.clone()).unwrap_or_default();
        self.conditions.lock().unwrap().push(known.clone());
        let content = *self.content.lock().unwrap();
        Ok(match content {
            "" => Fetched::Absent,
            _ if known == content => Fetched::NotModified,
            "without validators" => found(content, ""),
            _ if url.path() == "/a.scss" => found(content, content),
            _ => Fetched::Absent,
        })
    }
}

/// Without an ETag where that is empty.
fn found(content: &'static str, etag: &str) -> Fetched {
    let etag = Some(etag.to_owned()).filter(|etag| !etag.is_empty());
    Fetched::Found(SourceFile { body: content.into(), etag, last_modified: None })
}

struct Case {
    origin: Arc<OneFile>,
    cache: SourceCache,
}

impl Case {
    fn new() -> Self {
        let origin = Arc::new(OneFile { content: Mutex::new("one"), conditions: Mutex::default() });
        Self { origin, cache: SourceCache::new() }
    }

    async fn fetch(&self, tenant: &str, known: Option<&str>) -> Fetched {
        let origin = self.cache.in_front_of(self.origin.clone(), &tenant.parse().unwrap());
        let known = known.map(|etag| Validators { etag: Some(etag.to_owned()), last_modified: None });
        origin.fetch(&"http://o/a.scss".parse().unwrap(), known.as_ref()).await.unwrap()
    }

    fn conditions(&self) -> Vec<String> {
        self.origin.conditions.lock().unwrap().drain(..).collect()
    }
}

#[tokio::test]
async fn known_source_is_asked_for_on_condition_and_given_all_the_same() {
    let case = Case::new();
    assert_eq!(case.fetch("t", None).await, found("one", "one"));
    assert_eq!(case.fetch("t", None).await, found("one", "one"));
    *case.origin.content.lock().unwrap() = "two";
    assert_eq!(case.fetch("t", None).await, found("two", "two"));
    assert_eq!(case.fetch("t", None).await, found("two", "two"));
    assert_eq!(case.conditions(), ["", "one", "one", "two"]);
}

#[tokio::test]
async fn who_asks_on_a_condition_of_his_own_gets_its_answer() {
    let case = Case::new();
    case.fetch("t", None).await;
    assert_eq!(case.fetch("t", Some("one")).await, Fetched::NotModified);
    assert_eq!(case.fetch("t", Some("other")).await, found("one", "one"));
    assert_eq!(case.conditions(), ["", "one", "other"]);
}

#[tokio::test]
async fn nothing_is_known_of_what_is_gone_or_another_tenants_or_has_no_validators() {
    let case = Case::new();
    case.fetch("t", None).await;
    case.fetch("other", None).await;
    *case.origin.content.lock().unwrap() = "";
    assert_eq!(case.fetch("t", None).await, Fetched::Absent);
    assert_eq!(case.fetch("t", None).await, Fetched::Absent);
    *case.origin.content.lock().unwrap() = "without validators";
    case.fetch("t", None).await;
    case.fetch("t", None).await;
    assert_eq!(case.conditions(), ["", "", "one", "", "", ""]);
}

#[tokio::test]
async fn tenants_sources_are_bounded() {
    let case = Case::new();
    let tenant: TenantId = "t".parse().unwrap();
    let origin = case.cache.in_front_of(case.origin.clone(), &tenant);
    let kept = case.cache.tenants.get(&tenant).unwrap();
    for file in 0..20 {
        let source =
            SourceFile { body: vec![b'a'; 1 << 20].into(), etag: Some("x".to_owned()), last_modified: None };
        kept.insert(format!("http://o/{file}"), source);
        kept.run_pending_tasks();
    }
    assert!(kept.weighted_size() <= MAX_TENANT_BYTES, "{}", kept.weighted_size());
    drop(origin);
}
