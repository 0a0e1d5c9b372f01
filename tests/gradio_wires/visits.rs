//! What visitors of captured apps ask for and get, and the words for what does not come.

use bytes::Bytes;
use inferometer::domain::Workload;

use super::SERVERS;
use super::app::{App, pages};

#[tokio::test]
async fn visitors_of_every_version_ask_as_its_browsers_do() {
    for server in SERVERS {
        let mut pages = pages(server);
        pages.insert("/", (200, "", "<html>".to_owned()));
        pages.insert("/theme.css", (200, "", "a {}".to_owned()));
        let n_bytes: usize = pages.values().map(|(_, _, body)| body.len()).sum();
        let prefix = if server == "gradio4" {
            ""
        } else {
            "/gradio_api"
        };
        let app = App::start(pages).await;
        let adapter = app.adapter(app.target("/echo"), &Workload::default()).await;
        app.seen.lock().unwrap().clear();
        let visitor = adapter.visits().unwrap().arrive().unwrap();

        let uploaded = visitor.upload("mine.bin", Bytes::from_static(b"12")).await;
        assert_eq!(uploaded.as_deref(), Ok("/srv/tiny.png"), "{server}");
        let loaded = visitor.load_page().await.unwrap();
        let of_upload = "[\"/srv/tiny.png\"]".len();
        assert_eq!(loaded, (n_bytes - of_upload) as u64, "{server}");
        let error = visitor.download("/srv/a b.bin").await.unwrap_err();
        let told = format!("GET {prefix}/file=/srv/a%20b.bin answered 404");
        assert!(error.starts_with(&told), "{error}");

        let seen = app.seen.lock().unwrap().clone();
        let first: Vec<&str> = seen.iter().filter_map(|head| head.lines().next()).collect();
        let expected = [
            format!("post {prefix}/upload"),
            "get /".to_owned(),
            "get /config".to_owned(),
            format!("get {prefix}/info"),
            "get /theme.css".to_owned(),
            format!("get {prefix}/file=/srv/a%20b.bin"),
        ];
        assert_eq!(first.len(), expected.len(), "{first:?}");
        for (line, expected) in first.iter().zip(expected) {
            assert_eq!(line.to_lowercase(), format!("{expected} http/1.1"));
        }
        for head in &seen {
            let head = head.to_lowercase();
            assert!(head.contains("authorization: bearer hf_canary"), "{head}");
            assert!(head.contains("cookie: affinity=7"), "{head}");
        }
    }
}

#[tokio::test]
async fn an_app_whose_info_is_broken_is_visited_without_it() {
    let mut pages = pages("gradio4");
    pages.insert("/", (200, "", "<html>".to_owned()));
    pages.insert("/theme.css", (200, "", "a {}".to_owned()));
    pages.insert("/info", (500, "", "Internal Server Error".to_owned()));
    let app = App::start(pages).await;
    let adapter = app.adapter(app.target("/echo"), &Workload::default()).await;
    let visitor = adapter.visits().unwrap().arrive().unwrap();
    assert!(visitor.load_page().await.unwrap() > 0);
}
