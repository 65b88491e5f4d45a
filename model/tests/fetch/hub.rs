//! The hub: ranges, breaks, wrong answers, and what is left behind after each.

use std::collections::HashSet;
use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redraft_model::cache::{self, Trust};
use redraft_model::catalogue::Identity;
use redraft_model::fetch::{FetchError, Silent};

use crate::loopback::Server;
use crate::{GOOD, Kept, body, fetcher, hub_row, identity, names};

const ALL: usize = usize::MAX;

#[test]
fn ranges_are_fetched_side_by_side_and_each_byte_once() {
    let bytes = body(1_050_000);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request, answer| answer.range(request, &bytes, ALL)
    });
    let cache = tempfile::tempdir().unwrap();
    let mut fetcher = fetcher(cache.path(), &server.url);
    fetcher.hub.token = Some("secret".into());
    let mut kept = Kept::default();
    let path = fetcher.fetch(&hub_row(identity(&bytes), &["o/r"]), &mut kept).unwrap();

    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(names(cache.path()), GOOD);
    assert_eq!(kept.last.unwrap().done, bytes.len() as u64);
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.path == "/o/r/resolve/main/m.gguf"));
    assert!(requests.iter().all(|request| request.authorization.as_deref() == Some("Bearer secret")));
    let starts: HashSet<_> =
        requests.iter().skip(1).map(|request| request.range.clone().unwrap().start).collect();
    assert_eq!(starts.len(), 11);
    assert_eq!(server.served(), bytes.len() as u64 + 1, "the probe's byte, then each byte once");

    // It is here now: nobody is asked again.
    fetcher.fetch(&hub_row(identity(&bytes), &["o/r"]), &mut Silent).unwrap();
    assert_eq!(server.requests().len(), requests.len());
}

#[test]
fn a_server_that_knows_no_ranges_will_do() {
    let bytes = body(300_000);
    let tries = AtomicUsize::new(0);
    let server = Server::start({
        let bytes = bytes.clone();
        // The probe, then a try that breaks off in the middle and has to begin anew.
        move |_, answer| {
            answer.whole(&bytes, if tries.fetch_add(1, Ordering::SeqCst) == 1 { 120_000 } else { ALL });
        }
    });
    let cache = tempfile::tempdir().unwrap();
    let mut kept = Kept::default();
    let path =
        fetcher(cache.path(), &server.url).fetch(&hub_row(identity(&bytes), &["o/r"]), &mut kept).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(kept.last.unwrap().done, bytes.len() as u64);
    assert_eq!(names(cache.path()), GOOD);
}

#[test]
fn a_broken_connection_goes_on_where_it_stopped() {
    let bytes = body(400_000);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request, answer| answer.range(request, &bytes, 30_000)
    });
    let cache = tempfile::tempdir().unwrap();
    let path =
        fetcher(cache.path(), &server.url).fetch(&hub_row(identity(&bytes), &["o/r"]), &mut Silent).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(server.served(), bytes.len() as u64 + 1, "no byte came twice");
}

#[test]
fn what_a_failed_fetch_brought_is_kept_for_the_next() {
    let bytes = body(400_000);
    let cache = tempfile::tempdir().unwrap();
    let row = hub_row(identity(&bytes), &["o/r"]);
    let broken = Server::start({
        let bytes = bytes.clone();
        move |request, answer| match request.range.clone().unwrap().start {
            0..200_000 => answer.range(request, &bytes, ALL),
            _ => answer.range(request, &bytes, 0),
        }
    });
    let mut one_by_one = fetcher(cache.path(), &broken.url);
    one_by_one.hub.connections = 1;
    let error = one_by_one.fetch(&row, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("broke off again and again"), "{error}");
    assert_eq!(names(cache.path()), ["test-model.gguf.partial", "test-model.gguf.partial.json"]);

    let healthy = Server::start({
        let bytes = bytes.clone();
        move |request, answer| answer.range(request, &bytes, ALL)
    });
    let path = fetcher(cache.path(), &healthy.url).fetch(&row, &mut Silent).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(healthy.served(), 200_001);
    assert_eq!(names(cache.path()), GOOD);
}

#[test]
fn wrong_bytes_are_refused_and_the_next_source_tried() {
    let bytes = body(250_000);
    let mut wrong = bytes.clone();
    wrong[123_456] ^= 1;
    let server = Server::start({
        let bytes = bytes.clone();
        move |request, answer| match request.path.starts_with("/bad/") {
            true => answer.range(request, &wrong, ALL),
            false => answer.range(request, &bytes, ALL),
        }
    });
    let cache = tempfile::tempdir().unwrap();
    let fetcher = fetcher(cache.path(), &server.url);
    let error = fetcher.fetch(&hub_row(identity(&bytes), &["bad/r"]), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("its sha256 is"), "{error}");
    assert_eq!(names(cache.path()), [""; 0], "nothing of the wrong file stays");

    let mut kept = Kept::default();
    let path = fetcher.fetch(&hub_row(identity(&bytes), &["bad/r", "good/r"]), &mut kept).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert!(kept.notes.iter().any(|note| note.contains("nothing of it was kept")), "{:?}", kept.notes);
}

#[test]
fn bytes_of_an_earlier_fetch_that_went_bad_do_not_spoil_the_next() {
    let bytes = body(400_000);
    let cache = tempfile::tempdir().unwrap();
    let row = hub_row(identity(&bytes), &["o/r"]);
    let broken = Server::start({
        let bytes = bytes.clone();
        move |request, answer| match request.range.clone().unwrap().start {
            0..200_000 => answer.range(request, &bytes, ALL),
            _ => answer.status(404, ""),
        }
    });
    let mut one_by_one = fetcher(cache.path(), &broken.url);
    one_by_one.hub.connections = 1;
    assert!(one_by_one.fetch(&row, &mut Silent).is_err());
    let partial = cache.path().join("models/test-model.gguf.partial");
    let mut half = fs::read(&partial).unwrap();
    half[..100].fill(0);
    fs::write(&partial, half).unwrap();

    let healthy = Server::start({
        let bytes = bytes.clone();
        move |request, answer| answer.range(request, &bytes, ALL)
    });
    let path = fetcher(cache.path(), &healthy.url).fetch(&row, &mut Silent).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(healthy.served(), 200_001 + 400_001, "first the rest, then all of it");
    assert_eq!(names(cache.path()), GOOD);
}

#[test]
fn each_refusal_says_what_to_do_and_is_not_tried_again() {
    let bytes = body(1000);
    let row = hub_row(identity(&bytes), &["o/r"]);
    for (status, token, says) in [
        (401, None, "set HF_TOKEN if the repository needs a login"),
        (403, Some("secret"), "HF_TOKEN may have no access to it"),
        (404, None, "does not have the file (status 404)"),
    ] {
        let server = Server::start(move |_, answer| answer.status(status, ""));
        let cache = tempfile::tempdir().unwrap();
        let mut fetcher = fetcher(cache.path(), &server.url);
        fetcher.hub.token = token.map(str::to_owned);
        let error = fetcher.fetch(&row, &mut Silent).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(server.requests().len(), 1);
        assert_eq!(names(cache.path()), [""; 0]);
    }
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let bytes = body(250_000);
    let count = AtomicUsize::new(0);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request, answer| match count.fetch_add(1, Ordering::SeqCst) {
            0 | 3 => answer.status(503, ""),
            1 => answer.status(429, "Retry-After: 0\r\n"),
            _ => answer.range(request, &bytes, ALL),
        }
    });
    let cache = tempfile::tempdir().unwrap();
    let path =
        fetcher(cache.path(), &server.url).fetch(&hub_row(identity(&bytes), &["o/r"]), &mut Silent).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);

    let down = Server::start(|_, answer| answer.status(500, ""));
    let cache = tempfile::tempdir().unwrap();
    let error = fetcher(cache.path(), &down.url).fetch(&hub_row(identity(&bytes), &["o/r"]), &mut Silent);
    assert!(error.unwrap_err().to_string().contains("status 500 again and again"));
    assert_eq!(down.requests().len(), 5);
}

#[test]
fn a_hub_that_cannot_be_reached_or_says_nothing_is_left_for_the_next_source() {
    let bytes = body(1000);
    let row = hub_row(identity(&bytes), &["o/r"]);
    let cache = tempfile::tempdir().unwrap();
    // A port that was free a moment ago: nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fetcher(cache.path(), &format!("http://{closed}")).fetch(&row, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    assert!(fetcher(cache.path(), &format!("http://{closed}")).hub.reachable().is_err());

    let silent = Server::start(|_, answer| answer.stall());
    let mut fetcher = fetcher(cache.path(), &silent.url);
    fetcher.hub.read_timeout = Duration::from_millis(50);
    let error = fetcher.fetch(&row, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("cannot be reached (no answer in time)"), "{error}");
    assert_eq!(silent.requests().len(), 1);
    assert_eq!(names(cache.path()), [""; 0]);
}

#[test]
fn a_stall_in_the_middle_is_a_break() {
    let bytes = body(250_000);
    let count = AtomicUsize::new(0);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request, answer| {
            let stalls = !request.is_probe() && count.fetch_add(1, Ordering::SeqCst) < 2;
            answer.range(request, &bytes, if stalls { 10_000 } else { ALL });
            if stalls {
                answer.stall();
            }
        }
    });
    let cache = tempfile::tempdir().unwrap();
    let mut fetcher = fetcher(cache.path(), &server.url);
    fetcher.hub.read_timeout = Duration::from_millis(200);
    let path = fetcher.fetch(&hub_row(identity(&bytes), &["o/r"]), &mut Silent).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
}

#[test]
fn another_size_is_seen_before_anything_is_fetched() {
    let bytes = body(1000);
    let server = Server::start(|request, answer| answer.range(request, &body(999), ALL));
    let cache = tempfile::tempdir().unwrap();
    let error = fetcher(cache.path(), &server.url).fetch(&hub_row(identity(&bytes), &["o/r"]), &mut Silent);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("has another file: 999 bytes instead of 1000"), "{error}");
    assert_eq!(server.served(), 1);
}

#[test]
fn two_at_once_fetch_it_once() {
    let bytes = body(500_000);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request, answer| answer.range(request, &bytes, ALL)
    });
    let cache = tempfile::tempdir().unwrap();
    let row = hub_row(identity(&bytes), &["o/r"]);
    let fetcher = fetcher(cache.path(), &server.url);
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| fetcher.fetch(&row, &mut Silent).unwrap()));
        for thread in both {
            assert_eq!(fs::read(thread.join().unwrap()).unwrap(), bytes);
        }
    });
    assert_eq!(server.served(), bytes.len() as u64 + 1);
    assert_eq!(names(cache.path()), GOOD);
}

#[test]
fn a_wrong_file_in_the_cache_is_replaced_and_only_by_the_right_one() {
    let bytes = body(1000);
    let row = hub_row(identity(&bytes), &["o/r"]);
    let cache = tempfile::tempdir().unwrap();
    fs::create_dir(cache.path().join("models")).unwrap();
    let path = cache.path().join("models/test-model.gguf");
    fs::write(&path, "an old one").unwrap();

    let down = Server::start(|_, answer| answer.status(404, ""));
    assert!(fetcher(cache.path(), &down.url).fetch(&row, &mut Silent).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"an old one", "until then it is left alone");

    let server = Server::start({
        let bytes = bytes.clone();
        move |request, answer| answer.range(request, &bytes, ALL)
    });
    fetcher(cache.path(), &server.url).fetch(&row, &mut Silent).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn offline_asks_nobody() {
    let bytes = body(1000);
    let server = Server::start(|_, answer| answer.status(404, ""));
    let cache = tempfile::tempdir().unwrap();
    let mut fetcher = fetcher(cache.path(), &server.url);
    fetcher.offline = true;
    let error = fetcher.fetch(&hub_row(identity(&bytes), &["o/r"]), &mut Silent).unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }));
    assert!(error.to_string().contains("unset REDRAFT_OFFLINE"), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn without_a_hash_in_the_catalogue_the_one_that_the_hub_states_is_kept_to() {
    let bytes = body(250_000);
    let Identity::Known { sha256, .. } = identity(&bytes) else { unreachable!() };
    for (stated, right) in [(sha256, true), (&*"0".repeat(64), false)] {
        let (served, stated) = (bytes.clone(), stated.to_owned());
        let server = Server::start(move |request, answer| match request.method.as_str() {
            "HEAD" => answer.status(302, &format!("Location: /storage\r\nX-Linked-Etag: \"{stated}\"\r\n")),
            _ => answer.range(request, &served, ALL),
        });
        let cache = tempfile::tempdir().unwrap();
        let row = hub_row(Identity::FirstUse { about: 200_000 }, &["o/r"]);
        let fetched = fetcher(cache.path(), &server.url).fetch(&row, &mut Silent);
        assert_eq!(fetched.is_ok(), right);
        match fetched {
            Ok(path) => assert_eq!(cache::stamp(&path).unwrap().trust, Trust::FirstUse),
            Err(error) => assert!(error.to_string().contains("its sha256 is"), "{error}"),
        }
    }
}

#[test]
fn it_may_be_called_from_inside_a_runtime() {
    let bytes = body(1000);
    let server = Server::start({
        let bytes = bytes.clone();
        move |request, answer| answer.range(request, &bytes, ALL)
    });
    let cache = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        fetcher(cache.path(), &server.url).fetch(&hub_row(identity(&bytes), &["o/r"]), &mut Silent).unwrap();
    });
}
