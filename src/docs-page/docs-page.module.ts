import { Module } from '@nestjs/common';

import { DocsController } from './docs.controller.js';

/** `/docs`, `/openapi.yaml` and `/openapi.json`. */
@Module({ controllers: [DocsController] })
export class DocsPageModule {}
