//! A named HTTP proxy: whole addresses for http, a tunnel for https.

use inferometer::transport::{Clock, Connector, TransportErrorKind};
use url::Url;

use super::script::{SHORT, Step, get, read_all, serve, text, write};
use super::{LONG, route};

#[tokio::test]
async fn plain_requests_name_the_whole_address_to_the_proxy() {
    let proxy = serve(vec![vec![Step::Request, write(SHORT)]]).await;
    // The target's name needs no resolving here: the proxy does it.
    let mut route = route("http://model.invalid:8000/", LONG);
    let address = format!("http://me:secret@{}", proxy.address);
    route.proxy = Some(Url::parse(&address).unwrap());
    let connector = Connector::new(route).unwrap();
    let mut connection = connector.connect(&proxy.clock).await.unwrap();
    assert_eq!(connection.times().address, proxy.address);
    connection.send(get(), &proxy.clock).await.unwrap();
    assert_eq!(text(&read_all(&mut connection).await.0), "ok");
    let request = proxy.requests().remove(0);
    assert!(request.starts_with("GET http://model.invalid:8000/v1/stream HTTP/1.1\r\n"));
    assert!(request.contains("host: model.invalid:8000\r\n"));
    assert!(request.contains("proxy-authorization: Basic bWU6c2VjcmV0\r\n"));
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_that_the_proxy_may_refuse() {
    let refuse = vec![
        Step::Request,
        write("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
    ];
    let cut = vec![Step::Request, write("HTTP/1.1 200 Connection est")];
    let open = vec![
        Step::Request,
        write("HTTP/1.1 200 OK\r\n\r\nnot a word of TLS"),
    ];
    let endless = vec![Step::Request, write("x".repeat(100_000)), Step::Hold];
    let proxy = serve(vec![refuse, cut, open, endless]).await;
    let mut route = route("https://model.invalid/", LONG);
    route.proxy = Some(proxy.url());
    let connector = Connector::new(route).unwrap();
    for (kind, reason) in [
        (TransportErrorKind::Connect, "407"),
        (TransportErrorKind::Connect, "end of file"),
        // The tunnel stood, and nobody spoke TLS at its end.
        (TransportErrorKind::Tls, "model.invalid"),
        (TransportErrorKind::Connect, "too long"),
    ] {
        let error = connector.connect(&Clock::new()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(reason), "{reason}: {error}");
    }
    let request = proxy.requests().remove(0);
    assert!(request.starts_with("CONNECT model.invalid:443 HTTP/1.1\r\n"));
}
