import { ApiKeyEntity } from './clients/api-key.entity.js';
import { ClientEntity } from './clients/client.entity.js';

/** Every entity, by class: a pattern of file names would differ between the sources and what is built. */
export const ENTITIES = [ApiKeyEntity, ClientEntity] as const;
