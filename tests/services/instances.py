"""Instances that the ads' predictor answers."""

from __future__ import annotations

ROW = {
    "query_id": 1000,
    "ad_id": 100,
    "category": "boots",
    "campaign": "brand",
    "position": "1",
    "device": "mobile",
    "discount": 0.1,
    "relevance": 0.5,
}
