"""The actors of Paysaga: domain services, the directory they publish through, and the runtime under them."""
