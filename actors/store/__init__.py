"""The store: sessions (one interface, a backend each) and numbered migrations. Knows no service's tables."""
