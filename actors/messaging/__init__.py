"""How actors talk: message classes, the envelope around each, and the codec that turns both into bytes."""
