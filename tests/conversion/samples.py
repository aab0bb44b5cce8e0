"""Addresses that are right: those of the private key 1, as another library (bip_utils 2.12) writes them."""

Sample = tuple[str, str | None, str]

OF_KEY_ONE: tuple[Sample, ...] = (
    ("BTC", None, "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"),
    ("BTC", None, "3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN"),
    ("BTC", None, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    ("BTC", None, "bc1pmfr3p9j00pfxjh0zmgp99y8zftmd3s5pmedqhyptwy6lm87hf5sspknck9"),
    ("BTC", "testnet", "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"),
    ("BTC", "testnet", "2NAUYAHhujozruyzpsFRP63mbrdaU5wnEpN"),
    ("BTC", "signet", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
    ("BTC", "regtest", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"),
    ("LTC", None, "LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ"),
    ("LTC", None, "MR8UQSBr5ULwWheBHznrHk2jxyxkHQu8vB"),
    ("LTC", None, "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"),
    ("LTC", "testnet", "QdqJHJa9kv3x4AksVMTQAkD3122J1Pbb8p"),
    ("LTC", "testnet", "tltc1qw508d6qejxtdg4y5r3zarvary0c5xw7klfsuq0"),
    ("DOGE", None, "DFpN6QqFfUm3gKNaxN6tNcab1FArL9cZLE"),
    ("DOGE", None, "A9faqPqnCRNQcZjkcFTviEQiLrkLPctjsJ"),
    ("DOGE", "testnet", "nesRpRaAbTDmZHwmzBkLd2AtF7Z9L9z5S2"),
    ("DASH", None, "XmN7PQYWKn5MJFna5fRYgP6mxT2F7xpekE"),
    ("DASH", None, "7jdxvk43wLb9hxuETjU1oUmzZqCg5D1fGv"),
    ("DASH", "testnet", "yWziQMcwmKjRdzi7eWjwiQX8EjWcd6dSg6"),
    ("DASH", "testnet", "8wemt4wv4synAGKVXzTyFrbMTLyWDcQX7U"),
    ("BCH", None, "bitcoincash:qp63uahgrxged4z5jswyt5dn5v3lzsem6cy4spdc2h"),
    ("BCH", None, "bitcoincash:pz70adegkkzz202l8acteduqa8hjrzng7s9tg65l3m"),
    ("BCH", "testnet", "bchtest:qp63uahgrxged4z5jswyt5dn5v3lzsem6cq85x00dt"),
    ("ETH", None, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
    ("TRX", None, "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC"),
    ("XRP", None, "rBgGZ9tc4him9KBzD8fKFiQz3fSZpaSwMH"),
    ("SOL", None, "6ASf5EcmmEHTgDJ4X4ZT5vT6iHVJBXPg5AN5YoTCpGWt"),
)
CHECKSUMMED = tuple(sample for sample in OF_KEY_ONE if sample[0] != "SOL")
ONE_OF_EACH_ENCODING: tuple[Sample, ...] = (
    ("BTC", None, "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"),
    ("BTC", None, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    ("BCH", None, "bitcoincash:qp63uahgrxged4z5jswyt5dn5v3lzsem6cy4spdc2h"),
    ("ETH", None, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
    ("XRP", None, "rBgGZ9tc4him9KBzD8fKFiQz3fSZpaSwMH"),
)
