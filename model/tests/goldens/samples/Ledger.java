package org.example.ledger;

import java.math.BigDecimal;
import java.util.*;
import java.util.stream.Collectors;

/** Keeps entries per account; it's not thread-safe. */
public final class Ledger {
    private final Map<String, List<BigDecimal>> entries = new TreeMap<>();

    public Ledger post(String account, String amount) throws IllegalArgumentException {
        Objects.requireNonNull(account, "account mustn't be null");
        entries.computeIfAbsent(account, k -> new ArrayList<>()).add(new BigDecimal(amount));
        return this;
    }

    public Map<String, BigDecimal> balances() {
        return entries.entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey,
                        e -> e.getValue().stream().reduce(BigDecimal.ZERO, BigDecimal::add)));
    }

    @Override
    public String toString() {
        return String.format("Ledger[%d accounts, %5.1f%%]", entries.size(), 99.5);
    }
}
