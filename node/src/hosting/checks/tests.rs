use super::*;

fn definition(check: fn(&dyn CapabilityView, &Requirements) -> bool) -> Definition {
    Definition {
        name: "Probe".into(),
        required: Arc::new([]),
        image: None,
        build: Arc::new(|| Err(Failure::new("never built"))),
        check: Arc::new(move |capabilities, requirements| Ok(check(capabilities, requirements))),
        waits: false,
    }
}

/// A type of an image whose check answers by how often it was asked before, and how often that was.
fn of_image(answer: fn(usize) -> Result<bool, Failure>) -> (Definition, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let check = Arc::new(move |_: &dyn CapabilityView, _: &Requirements| answer(count.fetch_add(1, Ordering::Relaxed)));
    (Definition { image: Some("ab".into()), check, ..definition(|_, _| true) }, asked)
}

fn run(check: fn(&dyn CapabilityView, &Requirements) -> bool, gpu: i64) -> CheckOutcome {
    let mut map = CapabilityMap::new();
    map.set("gpu", gpu).unwrap();
    Checks::new().run(&definition(check), &Arc::new(map), &Requirements::none())
}

#[test]
fn a_check_answers_and_its_reads_are_kept() {
    let outcome = run(|c, _| c.value("gpu") == Some(Value::Integer(2)), 2);
    assert_eq!(outcome.verdict, CheckVerdict::Accepted);
    assert_eq!(outcome.read.0.get("gpu"), Some(&Some(Value::Integer(2))));
    assert_eq!(run(|c, _| c.is_true("db"), 2).verdict, CheckVerdict::Refused);
}

#[test]
fn what_a_check_said_is_known_where_what_it_read_is_the_same() {
    let checks = Checks::new();
    let by_gpu = definition(|c, _| c.value("gpu") == Some(Value::Integer(2)));
    let map = |gpu: i64, zone: &str| {
        let mut map = CapabilityMap::new();
        map.set("gpu", gpu).unwrap();
        map.set("zone", zone).unwrap();
        Arc::new(map)
    };
    let known = |map: &CapabilityMap| checks.known(&by_gpu, map, &Requirements::none()).map(|known| known.verdict);
    assert_eq!(known(&map(2, "a")), None);
    checks.run(&by_gpu, &map(2, "a"), &Requirements::none());
    assert_eq!(known(&map(2, "b")), Some(CheckVerdict::Accepted));
    assert_eq!(known(&map(3, "a")), None);
}

#[test]
fn a_check_that_panics_is_a_refusal_with_its_reason() {
    let CheckVerdict::Failed(reason) = run(|_, _| panic!("no way"), 1).verdict else { panic!("not failed") };
    assert!(reason.contains("no way"), "{reason}");
}

#[test]
fn a_failure_that_passes_is_not_remembered() {
    let checks = Checks::new();
    let (of_image, asked) = of_image(|count| match count {
        0 => Err(Failure::passing("nobody is there")),
        1 => Err(Failure::new("no")),
        _ => Ok(true),
    });
    let map = Arc::new(CapabilityMap::new());
    for expected in ["nobody is there", "no", "no"] {
        let Said { outcome, is_word } = checks.ask(&of_image, &map, &Requirements::none(), false);
        assert_eq!(is_word, expected == "no", "who is not there gives no word");
        assert_eq!(outcome.verdict, CheckVerdict::Failed(format!("its check failed: {expected}")));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn what_took_too_long_is_no_word_and_an_image_is_asked_again() {
    let checks = Checks::new();
    let (of_image, asked) = of_image(|count| match count {
        0 => Err(Failure::late("took long")),
        _ => Ok(false),
    });
    let map = Arc::new(CapabilityMap::new());
    let ask = |again| checks.ask(&of_image, &map, &Requirements::none(), again);
    assert!(!ask(false).is_word && !ask(false).is_word, "it is not run at every question");
    let word = ask(true);
    assert!(word.is_word && word.outcome.verdict == CheckVerdict::Refused);
    assert!(ask(true).is_word && asked.load(Ordering::Relaxed) == 2, "a word is remembered");
    let failing = definition(|_, _| panic!("no way"));
    assert!(checks.ask(&failing, &map, &Requirements::none(), false).is_word);
}

#[test]
fn a_check_that_never_ends_is_given_up_and_not_run_again() {
    let checks = Checks::new();
    let endless = definition(|_, _| {
        loop {
            std::thread::park()
        }
    });
    let map = Arc::new(CapabilityMap::new());
    for _ in 0..3 {
        let CheckVerdict::Failed(reason) = checks.run(&endless, &map, &Requirements::none()).verdict else {
            panic!("not failed")
        };
        assert!(reason.contains("1000 ms"), "{reason}");
    }
    assert_eq!(checks.0.given_up.load(Ordering::Relaxed), 1);
}

#[test]
fn a_check_that_ends_late_after_all_is_believed_then() {
    static LET_GO: AtomicBool = AtomicBool::new(false);
    let checks = Checks::new();
    let slow = definition(|c, _| {
        while !LET_GO.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        c.is_true("db")
    });
    let mut map = CapabilityMap::new();
    map.set("db", true).unwrap();
    let map = Arc::new(map);
    let first = checks.run(&slow, &map, &Requirements::none());
    assert!(matches!(first.verdict, CheckVerdict::Failed(_)), "{first:?}");
    assert_eq!(checks.0.given_up.load(Ordering::Relaxed), 1);
    LET_GO.store(true, Ordering::Release);
    let started = std::time::Instant::now();
    while checks.run(&slow, &map, &Requirements::none()).verdict != CheckVerdict::Accepted {
        assert!(started.elapsed() < Duration::from_secs(20), "its answer is never taken");
    }
    assert_eq!(checks.0.given_up.load(Ordering::Relaxed), 0);
    let without = Arc::new(CapabilityMap::new());
    assert_eq!(checks.run(&slow, &without, &Requirements::none()).verdict, CheckVerdict::Refused);
}
