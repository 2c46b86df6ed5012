// SPDX-License-Identifier: GPL-2.0
//! Rust's std: threads, locks, channels, time, files, a panic that is caught.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn ok(nr: &mut u32, good: bool, name: &str) {
    *nr += 1;
    println!("{}ok {} {}", if good { "" } else { "not " }, nr, name);
    if !good {
        std::process::exit(1);
    }
}

fn main() {
    let mut nr = 0;
    println!("KTAP version 1");
    let start = Instant::now();

    let total = Arc::new(Mutex::new(0u64));
    let threads: Vec<_> = (0..4)
        .map(|i| {
            let total = total.clone();
            thread::spawn(move || (0..5000).for_each(|_| *total.lock().unwrap() += i))
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    ok(&mut nr, *total.lock().unwrap() == 30000, "threads and a mutex");

    let (tx, rx) = mpsc::channel();
    thread::spawn(move || (0..100).for_each(|i| tx.send(i).unwrap()));
    ok(&mut nr, rx.iter().sum::<i32>() == 4950, "a channel");

    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = pair.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        *other.0.lock().unwrap() = true;
        other.1.notify_all();
    });
    let mut set = pair.0.lock().unwrap();
    while !*set {
        set = pair.1.wait_timeout(set, Duration::from_secs(5)).unwrap().0;
    }
    ok(&mut nr, start.elapsed() >= Duration::from_millis(20), "a condition variable");

    let text = std::fs::read_to_string("input.txt").unwrap();
    let mut lengths = HashMap::new();
    for word in text.split_whitespace() {
        *lengths.entry(word.len()).or_insert(0) += 1;
    }
    ok(&mut nr, lengths == HashMap::from([(1, 10), (2, 90), (3, 900)]), "a file");
    ok(&mut nr, std::fs::metadata("input.txt").unwrap().len() == text.len() as u64, "metadata");
    ok(&mut nr, std::fs::read("nothing").unwrap_err().kind() == ErrorKind::NotFound, "no file");

    let caught = thread::spawn(|| panic!("to be caught")).join();
    ok(&mut nr, caught.is_err(), "a panic");
    println!("1..{}", nr);
}
