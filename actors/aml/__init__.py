"""AML: screens beneficiaries against watchlists, and asks a person where they leave doubt."""
