import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import type { Route } from './contract.js';

/** A line of Fastify's tree: four characters for each level, the path's part, its methods where it is a route. */
const LINE = /^((?:[│ ] {3})*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?$/;

/** Every route of the running app, with parameters in braces as `openapi.yaml` writes them; HEAD is each GET's shadow. */
export function routesOf(app: NestFastifyApplication): Route[] {
  const routes = routesOfTree(app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false }));
  return routes.filter(({ method }) => method !== 'HEAD');
}

/** @throws when the tree has a line of another form, so that no route is overlooked. */
export function routesOfTree(tree: string): Route[] {
  const parts: string[] = [];
  return tree
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const found = LINE.exec(line);
      if (!found) throw new Error(`a route of this form is not understood: ${line}`);
      const [, indent = '', part = '', methods = ''] = found;
      parts.splice(indent.length / 4, parts.length, part);
      const path = parts.join('').replaceAll(/:(\w+)/g, '{$1}');
      return methods === '' ? [] : methods.split(', ').map((method) => ({ method, path }));
    });
}
