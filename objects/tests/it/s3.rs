use bytes::Bytes;
use objects::suite::{self, Server};
use objects::{Location, ObjectError, Objects, RemoteObjects};

fn open(bucket: &str, server: &Server) -> RemoteObjects {
    let location: Location = format!("s3://{bucket}/some/prefix").parse().unwrap();
    RemoteObjects::open(&location, &server.options()).unwrap()
}

#[test]
fn objects_in_an_s3_server_conform_and_its_refusals_are_told_apart() {
    let Some(server) = Server::start() else {
        return println!("{}", Server::NONE);
    };
    server.make_bucket("present");
    suite::run(&open("present", &server), "below");

    let absent = open("absent", &server);
    let put = absent.put("a", Bytes::from_static(b"a"));
    assert!(matches!(put, Err(ObjectError::Missing { .. })), "{put:?}");

    let present = open("present", &server);
    drop(server);
    let away = present.length("a");
    assert!(
        matches!(away, Err(ObjectError::Unreachable { .. })),
        "{away:?}"
    );
}

#[test]
fn credentials_that_the_server_does_not_know_are_named_as_the_cause() {
    let Some(server) = Server::start_strict() else {
        return println!("{}", Server::NONE);
    };
    server.make_bucket("present");
    let stranger = open("present", &server);
    let put = stranger.put("a", Bytes::from_static(b"a"));
    let Err(refused @ ObjectError::Denied { .. }) = put else {
        panic!("{put:?}");
    };
    assert!(
        refused.to_string().contains("InvalidAccessKeyId"),
        "{refused}"
    );
    let length = stranger.length("a");
    assert!(
        matches!(length, Err(ObjectError::Denied { .. })),
        "{length:?}"
    );
}
