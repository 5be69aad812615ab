"""iFlytek's Spark over HTTP, and its platform for other models.

https://www.xfyun.cn/doc/spark/X1http.html
"""

from mitmeter.usage.apis.chat import CHAT
from mitmeter.usage.dialect import Provider

PROVIDER = Provider(
    name="iflytek",
    hosts=(r"spark-api-open\.xf-yun\.com", r"maas-api\.[a-z0-9-]+\.xf-yun\.com"),
    dialects=(CHAT,),
)
