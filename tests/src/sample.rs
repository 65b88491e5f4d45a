//! A small file, a suggestion for it, and the file after it. The 0.5B model writes it right.

/// The file.
pub const ORIGINAL: &str = r#"/// A counter.
pub struct Counter {
    count: u32,
}

impl Counter {
    pub fn new() -> Self {
        Counter { count: 0 }
    }

    pub fn add(&mut self) {
        self.count += 1;
        println!("now {}", self.count);
    }

    pub fn get(&self) -> u32 {
        self.count
    }
}
"#;

/// What an assistant says.
pub const SNIPPET: &str = r#"    pub fn add(&mut self, amount: u32) {
        self.count += amount;
        println!("now {}", self.count);
    }
"#;

/// The file after it.
pub const EXPECTED: &str = r#"/// A counter.
pub struct Counter {
    count: u32,
}

impl Counter {
    pub fn new() -> Self {
        Counter { count: 0 }
    }

    pub fn add(&mut self, amount: u32) {
        self.count += amount;
        println!("now {}", self.count);
    }

    pub fn get(&self) -> u32 {
        self.count
    }
}
"#;
