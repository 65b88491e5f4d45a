/// A counter.
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
