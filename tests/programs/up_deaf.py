"""Ignores every request. NAME"""

import up_stage

up_stage.ignore()
up_stage.ready()
up_stage.forever()
