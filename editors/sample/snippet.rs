    pub fn add(&mut self, amount: u32) {
        self.count += amount;
        println!("now {}", self.count);
    }
